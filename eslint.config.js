import neostandard from 'neostandard'

export default [
  ...neostandard({ ts: true, ignores: ['dist', 'packages/*/dist', '.tap', 'coverage', 'test/fixtures', 'sdk/*.js', 'sdk/*.d.ts'] }),
  // What runs in a browser, and nowhere else.
  { ...neostandard({ env: ['browser'] }).find(({ name }) => name === 'neostandard/globals'), files: ['pages/**/*.js', 'packages/client/src/*.ts', 'examples/vue/*.js'] },
  {
    rules: {
      // A schema and the type derived from it share their name.
      '@typescript-eslint/no-redeclare': 'off',
      // A promise that nobody waits for says so.
      'no-void': ['error', { allowAsStatement: true }],
      '@stylistic/max-len': ['error', { code: 180, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreRegExpLiterals: true }]
    }
  }
]
