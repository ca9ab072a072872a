// Cases of RFC 6455, each in one write.
import { testConformance } from './conformance.js'

testConformance(['in one write'])
