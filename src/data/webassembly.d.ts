// Node's own types leave these out, and the DOM's library would bring a browser's globals (`name`, `close`, …) along,
// which then no longer count as undeclared.
declare namespace WebAssembly {
  interface MemoryDescriptor {
    readonly initial: number
    readonly maximum?: number
    readonly shared?: boolean
  }

  class Memory {
    constructor(descriptor: MemoryDescriptor)
    readonly buffer: ArrayBuffer | SharedArrayBuffer
    /** @returns the size before, in pages */
    grow(pages: number): number
  }

  class Module {
    constructor(bytes: BufferSource)
  }

  type BufferSource = ArrayBufferView | ArrayBuffer
  type ImportValue = Memory | number | bigint | ((...values: never[]) => unknown)
  type ExportValue = Memory | ((...values: (number | bigint)[]) => number | bigint | undefined)

  class Instance {
    constructor(module: Module, imports?: Record<string, Record<string, ImportValue>>)
    readonly exports: Readonly<Record<string, ExportValue>>
  }

  function validate(bytes: BufferSource): boolean
}
