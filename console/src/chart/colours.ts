/** Colours of series: the accent first, then others that stay apart from it in both themes. */
import { theme } from '../shell/theme.ts'

const light = ['#0b7268', '#3b5bdb', '#b4531a', '#8a3ffc', '#a3113f', '#5c6b00', '#0077a8', '#6b4f3a']
const dark = ['#3ccfbd', '#8aa4ff', '#f0a35e', '#c29bff', '#ff8fab', '#c5d34a', '#5cc8f2', '#cdb09a']

export function seriesColours(): readonly string[] {
  return theme.value === 'dark' ? dark : light
}

/** A token of tokens.css as it is now: canvases can't look it up themselves. */
export function tokenColour(element: Element, name: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${name})`
  element.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}
