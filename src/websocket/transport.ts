// State that all connections of one server share. Two servers in one process share none of it.
import { Batch, type BatchOptions } from './batch.js'
import { FrameWriter } from './frame-writer.js'
import { Unmasker } from './mask.js'
import { HandleWriter } from './node/handle-writer.js'

export class Transport {
  readonly batch: Batch
  /** Encodes all frames of the server, so that those that follow one another are adjacent in memory. */
  readonly frames = new FrameWriter()
  readonly handles = new HandleWriter()
  readonly unmasker = new Unmasker()

  constructor (options: BatchOptions) { this.batch = new Batch(options) }
}
