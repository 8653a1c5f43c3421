/** Light or dark: as the system says, until somebody chooses. */
import { effect, signal } from '@preact/signals'

type Theme = 'light' | 'dark'
const stored = 'millrace.theme'
const preferred = matchMedia('(prefers-color-scheme: dark)')

function system(): Theme {
  return preferred.matches ? 'dark' : 'light'
}

function chosen(): Theme | null {
  const value = localStorage.getItem(stored)
  return value === 'light' || value === 'dark' ? value : null
}

/** Charts read it, because they paint their colours themselves. */
export const theme = signal<Theme>(chosen() ?? system())

preferred.addEventListener('change', () => {
  if (chosen() === null) theme.value = system()
})

effect(() => {
  document.documentElement.dataset['theme'] = theme.value
})

export function toggleTheme(): void {
  theme.value = theme.value === 'dark' ? 'light' : 'dark'
  // Who goes back to what the system says follows the system again.
  if (theme.value === system()) localStorage.removeItem(stored)
  else localStorage.setItem(stored, theme.value)
}
