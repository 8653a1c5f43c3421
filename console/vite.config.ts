import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const client = fileURLToPath(new URL('../src/client/client.ts', import.meta.url))

/** What more than one page is made of; what is large and of few pages' use is loaded when it is. */
const shared =
  /console\/src\/(ask|chart|design|rows|shell|text|snippets|why\/row-facts)|src\/(app|client|data|protocol)\/|node_modules\/(preact|@preact)\//

export default defineConfig({
  base: '/',
  resolve: { alias: { 'millrace/client': client } },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    assetsDir: 'page',
    // Whatever is inlined into a style sheet would be a data: address, which the page's policy refuses.
    assetsInlineLimit: 0,
    // A page is there after as few questions as can be: one style sheet, what all pages share as one file, then the page.
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: { codeSplitting: { groups: [{ name: 'shared', test: shared }] } },
    },
    reportCompressedSize: false,
  },
  // `npx vite console` while working on it, with a server at its usual port.
  server: { proxy: { '/v1': 'http://127.0.0.1:4280', '/readyz': 'http://127.0.0.1:4280' } },
})
