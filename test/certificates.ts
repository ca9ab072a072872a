// Certificate authority of a test, made by openssl. No trust store knows it: NODE_EXTRA_CA_CERTS has to name it.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { without } from './installed.js'

// `req -CA` came with OpenSSL 3.0.
const isOld = () => !/^OpenSSL [3-9]/.test(spawnSync('openssl', ['version'], { encoding: 'utf8' }).stdout)

/** Reason to skip a test that needs openssl, or false. */
export const withoutOpenssl = without('openssl', 'openssl') || (process.env.CI !== 'true' && isOld() && 'openssl is older than 3.0')

/** Files in PEM form. */
export interface Certificates {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/**
 * Makes an authority, and a certificate of it for the given names only.
 * @param names such as `DNS:localhost` or `IP:127.0.0.1`
 */
export function makeCertificates (t: Test, ...names: string[]): Certificates {
  const dir = mkdtempSync(join(tmpdir(), 'certificates-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const file = (name: string) => join(dir, name)
  const make = (name: string, ...args: string[]) => execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '2', '-subj', `/CN=${name} of a test`,
    '-keyout', file(`${name}.key`), '-out', file(`${name}.crt`), ...args
  ], { stdio: 'pipe' })
  make('authority', '-addext', 'keyUsage=critical,keyCertSign')
  make('server', '-CA', file('authority.crt'), '-CAkey', file('authority.key'), '-addext', 'basicConstraints=critical,CA:false', '-addext', `subjectAltName=${names.join(',')}`)
  return { ca: file('authority.crt'), cert: file('server.crt'), key: file('server.key') }
}
