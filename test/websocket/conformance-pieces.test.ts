// Cases of RFC 6455, with the bytes cut in several ways.
import { testConformance } from './conformance.js'

testConformance(['frame by frame', 'byte by byte', 'in random pieces'])
