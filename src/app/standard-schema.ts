import type { StandardSchemaV1 } from '@standard-schema/spec'

/** A schema of any vendor that keeps to standardschema.dev: zod, valibot, arktype. */
export type StandardSchema<In = unknown, Out = unknown> = StandardSchemaV1<In, Out>

export type Issue = StandardSchemaV1.Issue

export function isStandardSchema(value: unknown): value is StandardSchema {
  // Arktype's schemas are functions.
  return (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value
}
