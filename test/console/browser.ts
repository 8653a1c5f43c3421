// Chromium for the console's tests: Debian's, or what CHROMIUM names.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const executable = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
const required = process.env['MILLRACE_REQUIRE_CHROMIUM'] !== undefined

/** Why tests in a browser are skipped, or null. Where a browser is required they fail instead. */
export const noBrowser = existsSync(executable) || required ? null : `no Chromium at ${executable}: set CHROMIUM`

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Nothing that a page is expected to do takes so long, however busy the machine is. */
const mostMs = 120_000

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: executable, args: flags, timeout: mostMs })
}

export type Theme = 'light' | 'dark'

export interface Watched {
  readonly page: Page
  /** Errors that the page printed or threw, and requests that left the server. */
  readonly complaints: string[]
}

/** What somebody looks at it with. */
export const sizes = {
  desktop: { viewport: { width: 1280, height: 800 } },
  /** Held in a hand: fingers in the place of a pointer. */
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
  /** The desktop at 200 %: half as much room for everything. */
  zoomed: { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 },
} satisfies Record<string, BrowserContextOptions>
export type Size = keyof typeof sizes

/** A page of the server that notes what it should never do. */
export async function openPage(
  browser: Browser,
  url: string,
  theme: Theme = 'light',
  size: Size = 'desktop',
): Promise<Watched> {
  const context = await browser.newContext({
    ...sizes[size],
    colorScheme: theme,
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  context.setDefaultTimeout(mostMs)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) complaints.push(`a request to ${request.url()}`)
  })
  return { page, complaints }
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Violation {
  readonly id: string
  readonly impact: string | null
  readonly nodes: readonly { readonly target: readonly string[]; readonly failureSummary: string }[]
}

/** What axe-core finds grave on the page: rule, place and why. */
export async function graveViolations(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  // Changed rows fade: contrast is looked at once they are still.
  const options = '{ resultTypes: ["violations"], rules: { "target-size": { enabled: true } } }'
  const result = (await page.evaluate(`axe.run(document, ${options})`)) as {
    readonly violations: readonly Violation[]
  }
  return result.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id} at ${target.join(' ')}: ${failureSummary}`),
    )
}
