// Before the first test (.taprc): those that start processes start what ships, built from the sources as they are now. Plain JavaScript, as the build.
process.argv.push('--if-stale')
await import('../scripts/build.mjs')
