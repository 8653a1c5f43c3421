#!/usr/bin/env node
import { nodeIo } from '../io/node.ts'

const io = nodeIo()
// What serves needs an engine, whose thread loads its program while this one loads all else.
if (process.argv[2] === 'start' || process.argv[2] === 'dev') io.threads.prepare?.('engine')

import('./commands.ts').then(({ runCommand }) => runCommand(io))
