import { useEffect, useRef, useState } from 'preact/hooks'

const toldMs = 1200

/**
 * Puts text on the clipboard, and says for a moment which.
 * @param onTold once that moment is over
 */
export function useCopied<Name extends string>(
  onTold?: () => void,
): readonly [Name | null, (name: Name, text: string) => Promise<void>] {
  const [copied, setCopied] = useState<Name | null>(null)
  const timer = useRef(0)
  useEffect(() => () => clearTimeout(timer.current), [])
  const copy = async (name: Name, text: string): Promise<void> => {
    await navigator.clipboard.writeText(text)
    setCopied(name)
    clearTimeout(timer.current)
    timer.current = window.setTimeout(() => {
      setCopied(null)
      onTold?.()
    }, toldMs)
  }
  return [copied, copy]
}
