import { gzipSync } from 'node:zlib'
import { build, type Rollup } from 'vite'

export interface Bundle {
  readonly code: string
  readonly gzipBytes: number
}

/** A module and all that it imports as one script for browsers. @param external packages that stay imports */
export async function bundle(entry: string, external: readonly string[] = []): Promise<Bundle> {
  const output = (await build({
    configFile: false,
    logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"' },
    build: {
      write: false,
      minify: true,
      rollupOptions: { input: entry, external: [...external], preserveEntrySignatures: 'strict' },
      modulePreload: false,
    },
  })) as Rollup.RollupOutput
  const [chunk] = output.output
  return { code: chunk.code, gzipBytes: gzipSync(chunk.code).length }
}
