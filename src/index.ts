export { version } from './data/version.ts'
