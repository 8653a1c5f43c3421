import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Ratchet } from './check.ts'

/** Every TypeScript file that can use src/, the console's included, by its path from the root. */
export function readTree(root: string): Map<string, string> {
  const texts = new Map<string, string>()
  for (const top of ['src', 'test', 'sim', 'bench', 'examples', 'scripts', 'console']) {
    if (existsSync(path.join(root, top))) readFolder(root, top, texts)
  }
  return texts
}

function readFolder(root: string, folder: string, texts: Map<string, string>): void {
  for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name === 'dist') continue
    const name = `${folder}/${entry.name}`
    if (entry.isDirectory()) readFolder(root, name, texts)
    else if (/\.tsx?$/.test(name)) texts.set(name, readFileSync(path.join(root, name), 'utf8'))
  }
}

export function readRatchet(root: string): Ratchet {
  return JSON.parse(readFileSync(path.join(root, 'scripts/tidy/ratchet.json'), 'utf8'))
}
