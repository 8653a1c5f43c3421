import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Refusal } from '../ask/refusal.ts'
import { hasToken, useToken } from '../ask/server.ts'

/** Asks for the token that this server wants; it stays in this browser. */
export function TokenForm({ refusal }: { refusal: Refusal }): JSX.Element {
  const [token, setToken] = useState('')
  return (
    <form
      class="empty"
      onSubmit={(event) => {
        event.preventDefault()
        useToken(token.trim() === '' ? null : token.trim())
      }}
    >
      <p class="empty-title">{hasToken.value ? 'This token is not accepted' : 'This server wants a token'}</p>
      {hasToken.value && <p>{refusal.message}</p>}
      <p class="line" style={{ paddingTop: '12px' }}>
        <label class="hidden-label" for="token">
          Token or API key
        </label>
        <input
          id="token"
          class="field"
          type="password"
          autocomplete="off"
          size={40}
          placeholder="Token or API key"
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        <button type="submit" class="button primary">
          Use it
        </button>
      </p>
      <p class="label">It is kept in this browser and sent to this server only.</p>
    </form>
  )
}
