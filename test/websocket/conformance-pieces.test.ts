// The cases of RFC 6455, however the bytes are cut.
import { testConformance } from './conformance.js'

testConformance(['frame by frame', 'byte by byte', 'in random pieces'])
