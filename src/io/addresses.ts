import { BlockList, isIP } from 'node:net'

/**
 * Whether an address is one of these, or in one of these networks (`10.0.0.0/8`).
 * @returns null where an entry is neither
 */
export function addressSet(entries: readonly string[]): ((address: string) => boolean) | null {
  const list = new BlockList()
  for (const entry of entries) {
    const [address, bits] = entry.split('/')
    const version = isIP(address)
    const width = bits === undefined ? (version === 4 ? 32 : 128) : Number(bits)
    const fits = version !== 0 && Number.isInteger(width) && width >= 0 && width <= (version === 4 ? 32 : 128)
    if (!fits || entry.split('/').length > 2 || bits === '') return null
    list.addSubnet(address, width, version === 4 ? 'ipv4' : 'ipv6')
  }
  return (address) => {
    const plain = unmapped(address)
    const version = isIP(plain)
    return version !== 0 && list.check(plain, version === 4 ? 'ipv4' : 'ipv6')
  }
}

export function isAddress(text: string): boolean {
  return isIP(text) !== 0
}

/** An IPv4 address as such, where it came over IPv6's socket. */
export function unmapped(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address
}

/** What one customer has of the network: an IPv4 address, or the 64 bits of IPv6 in which he picks his own. */
export function networkOf(address: string): string {
  const plain = unmapped(address)
  if (isIP(plain) !== 6) return plain
  const [head, tail] = plain.split('::').map(groupsOf)
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - head.length - tail.length }, () => 0)
  const groups = [...head, ...zeros, ...(tail ?? [])].slice(0, 4)
  return `${groups.map((group) => group.toString(16)).join(':')}::/64`
}

/** An IPv4 address at the end stands for two groups, which are none of the first four. */
function groupsOf(text: string): readonly number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => (group.includes('.') ? [0, 0] : [Number.parseInt(group, 16)]))
}
