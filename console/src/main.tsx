import { render } from 'preact'
import './design/tokens.css'
import './design/base.css'
import './design/controls.css'
import { Frame } from './shell/frame.tsx'
import { routeOf } from './shell/routes.ts'
import './shell/theme.ts'

// The page's own file is on its way while the frame is drawn; whether it came is the frame's to say.
routeOf(location.pathname)
  ?.route.load()
  .catch(() => {})

render(<Frame />, document.getElementById('app')!)
