import { failing } from './cast-table.ts'
import { define, helper } from './definition.ts'

function encode(bytes: Uint8Array, format: string): string {
  switch (format.toLowerCase()) {
    case 'hex':
      return Buffer.from(bytes).toString('hex')
    case 'base64':
      return (
        Buffer.from(bytes)
          .toString('base64')
          .match(/.{1,76}/g)
          ?.join('\n') ?? ''
      )
    case 'escape':
      return [...bytes]
        .map((c) => {
          if (c === 92) return '\\\\'
          return c === 0 || c > 127 ? `\\${c.toString(8).padStart(3, '0')}` : String.fromCharCode(c)
        })
        .join('')
    default:
      return failing('invalidArgument', '')
  }
}

function decode(text: string, format: string): Uint8Array {
  const bare = text.replace(/[ \n\r\t]/g, '')
  switch (format.toLowerCase()) {
    case 'hex':
      if (/^(?:[0-9a-f]{2})*$/i.test(bare)) return new Uint8Array(Buffer.from(bare, 'hex'))
      break
    case 'base64':
      if (/^(?:[a-z0-9+/]{4})*(?:[a-z0-9+/]{2}==|[a-z0-9+/]{3}=)?$/i.test(bare)) {
        return new Uint8Array(Buffer.from(bare, 'base64'))
      }
      break
    case 'escape':
      return unescapeBytes(text) ?? failing('invalidText', new Uint8Array())
  }
  return failing('invalidArgument', new Uint8Array())
}

/** Bytes with `\ooo` (octal) for any of them and `\\` for the backslash. @returns null where that is not what it is */
function unescapeBytes(text: string): Uint8Array | null {
  const from = Buffer.from(text, 'utf8')
  const out = new Uint8Array(from.length)
  let length = 0
  for (let at = 0; at < from.length; at++) {
    let byte = from[at]
    if (byte === backslash && from[at + 1] === backslash) at++
    else if (byte === backslash) {
      const digits = from.toString('latin1', at + 1, at + 4)
      if (!/^[0-3][0-7][0-7]$/.test(digits)) return null
      byte = Number.parseInt(digits, 8)
      at += 3
    }
    out[length++] = byte
  }
  return out.slice(0, length)
}

const backslash = 0x5c

define('encode', 'bytea,text', helper(encode, true))
define('decode', 'text,text', helper(decode, true))
