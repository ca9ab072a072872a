// Helpers for the tests of the published contracts: reading a document, and checking values against its schemas.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { parse } from 'yaml'
import { ROOT } from '../src/root.js'

export const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
// Documents have every shape, so their type is any.
export const document = (file: string): any => parse(read(file))

/** Place in a document: the keys that lead there. */
export type Place = readonly (string | number)[]

/** Makes a check of values against any schema of a document. @returns a function that lists the faults of a value */
export function checker (document: object): (place: Place, value: unknown) => string[] {
  const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { 'date-time': (text) => !Number.isNaN(Date.parse(text)) } })
  // Drops the id of the document, which is not the id of a schema.
  ajv.addSchema({ ...document, id: undefined } as object, 'document')
  const compiled = new Map<string, ValidateFunction>()
  return (place, value) => {
    const pointer = place.map((key) => encodeURIComponent(String(key).replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')
    const validate = compiled.get(pointer) ?? ajv.compile({ $ref: `document#/${pointer}` })
    compiled.set(pointer, validate)
    validate(value)
    return (validate.errors ?? []).map(({ instancePath, message }) => `${place.join(' ')}: ${instancePath} ${message}`)
  }
}

/** Yields every object in a document, with its place. */
export function * objectsIn (value: unknown, place: Place = []): Generator<[place: Place, object: Record<string, unknown>]> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield [place, value as Record<string, unknown>]
  for (const [key, item] of Object.entries(value)) yield * objectsIn(item, [...place, key])
}
