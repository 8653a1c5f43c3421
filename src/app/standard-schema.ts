/** The part of the Standard Schema interface (standardschema.dev) that is used here; zod, valibot and arktype have it. */
export interface StandardSchema<In = unknown, Out = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => Validated<Out> | Promise<Validated<Out>>
    readonly types?: { readonly input: In; readonly output: Out } | undefined
  }
}

export type Validated<Out> =
  | { readonly value: Out; readonly issues?: undefined }
  | { readonly issues: readonly Issue[] }

export interface Issue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

export function isStandardSchema(value: unknown): value is StandardSchema {
  // Arktype's schemas are functions.
  return (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value
}
