import { render } from 'preact'
import './design/tokens.css'
import './design/base.css'
import './design/controls.css'
import { Frame } from './shell/frame.tsx'
import './shell/theme.ts'

render(<Frame />, document.getElementById('app')!)
