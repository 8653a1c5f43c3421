import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const client = fileURLToPath(new URL('../src/client/client.ts', import.meta.url))

export default defineConfig({
  base: '/',
  resolve: { alias: { 'millrace/client': client } },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    assetsDir: 'page',
    // Whatever is inlined into a style sheet would be a data: address, which the page's policy refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // `npx vite console` while working on it, with a server at its usual port.
  server: { proxy: { '/v1': 'http://127.0.0.1:4280', '/readyz': 'http://127.0.0.1:4280' } },
})
