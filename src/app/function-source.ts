import { type AnyNode, type Node, parse } from 'acorn'

/**
 * What is wrong with a function that is to run from its text alone, wherever the engine is: it may use its arguments,
 * what it declares itself, and the few globals that give the same result everywhere.
 */

/** Globals whose results follow from their arguments. */
const allowed = new Set(
  `undefined NaN Infinity Math Number String Boolean BigInt Array Object Map Set JSON RegExp Error TypeError RangeError
  Uint8Array Symbol parseInt parseFloat isNaN isFinite encodeURIComponent decodeURIComponent encodeURI decodeURI
  __name`.split(/\s+/),
)

const refusedGlobals: Readonly<Record<string, string>> = {
  Date: 'a Date depends on the clock or the zone: take the time as an argument, as text',
  Intl: "languages' rules change with the version of Node: write them out",
  process: 'a function of the log knows no environment: take the value as an argument',
  globalThis: 'a function of the log knows no environment: take the value as an argument',
  fetch: 'a function of the log asks nobody: append what is needed as events',
  crypto: 'chance is no function of the log: append the value with the event',
  console: 'a view has nowhere to write to: leave it out',
}

/** Members that don't follow from the value alone. */
const refusedMembers: Readonly<Record<string, string>> = {
  random: 'chance is no function of the log: append the value with the event',
  localeCompare: 'it depends on the language of the machine: compare with < and >',
  toLocaleString: 'it depends on the language of the machine: write the format out',
  toLocaleUpperCase: 'it depends on the language of the machine: use toUpperCase()',
  toLocaleLowerCase: 'it depends on the language of the machine: use toLowerCase()',
  constructor: 'it leads out of the function: leave it out',
  __proto__: 'it leads out of the function: leave it out',
}

/** A mistake, and what to do. */
export interface SourceProblem {
  readonly what: string
  readonly hint: string
}

/** @returns null where the text is a function that can stand alone */
export function problemOf(source: string): SourceProblem | null {
  if (/\{\s*\[native code\]\s*\}\s*$/.test(source)) {
    return { what: 'it is not written in JavaScript', hint: 'write an arrow function that calls it' }
  }
  let program: Node
  try {
    program = parse(`'use strict';(${source}\n)`, { ecmaVersion: 2024, sourceType: 'script' })
  } catch {
    return { what: 'its text is no function by itself', hint: 'write an arrow function: (s) => …' }
  }
  const body = (program as unknown as { readonly body: readonly { readonly expression: AnyNode }[] }).body
  const [, statement] = body
  const isFunction = /^(ArrowFunction|Function)Expression$/.test(statement?.expression?.type)
  if (body.length !== 2 || !isFunction) {
    return { what: 'its text is no function by itself', hint: 'write an arrow function: (s) => …' }
  }
  const walk = new Walk()
  walk.visit(statement.expression, null)
  return walk.problem
}

/** Names that are declared at a place; the outermost has null around it. */
interface Scope {
  readonly names: Set<string>
  readonly around: Scope | null
}

/** Acorn's nodes, read by name. */
interface Anything {
  readonly type: string
  readonly [part: string]: unknown
}

const functions = new Set(['FunctionExpression', 'FunctionDeclaration', 'ArrowFunctionExpression'])

class Walk {
  problem: SourceProblem | null = null

  visit(given: unknown, scope: Scope | null): void {
    if (Array.isArray(given)) {
      for (const one of given) this.visit(one, scope)
      return
    }
    if (this.problem !== null || !isNode(given)) return
    if (functions.has(given.type)) this.#visitFunction(given, scope)
    else if (given.type === 'Identifier') this.#visitName(String(given.name), scope)
    else this.#visitOther(given, scope)
  }

  #visitFunction(node: Anything, scope: Scope | null): void {
    if (node.async === true) {
      this.#refuse('it is async', 'a view is computed at once: append what takes time as events')
      return
    }
    if (node.generator === true) {
      this.#refuse('it is a generator', 'give one value')
      return
    }
    const inside: Scope = { names: new Set(['arguments']), around: scope }
    if (isNode(node.id)) inside.names.add(String(node.id.name))
    for (const parameter of node.params as readonly unknown[]) declarePattern(parameter, inside)
    declareVars(node.body, inside)
    this.#visitPatterns(node.params as readonly unknown[], inside)
    this.visit(node.body, inside)
  }

  #visitOther(node: Anything, scope: Scope | null): void {
    switch (node.type) {
      case 'MemberExpression':
        this.#visitMember(node, scope)
        return
      case 'Property':
      case 'MethodDefinition':
      case 'PropertyDefinition':
        if (node.computed === true) this.visit(node.key, scope)
        this.visit(node.value, scope)
        return
      case 'LabeledStatement':
        this.visit(node.body, scope)
        return
      case 'BreakStatement':
      case 'ContinueStatement':
        return
      case 'ThisExpression':
        this.#refuse('it uses this', 'take what is needed as an argument')
        return
      case 'ImportExpression':
      case 'MetaProperty':
      case 'AwaitExpression':
        this.#refuse('it needs a module or waits', 'a view is computed at once, from its arguments')
        return
      case 'VariableDeclarator':
        this.#visitPatterns([node.id], scope)
        this.visit(node.init, scope)
        return
      case 'CatchClause': {
        const inside: Scope = { names: new Set(), around: scope }
        declarePattern(node.param, inside)
        this.visit(node.body, inside)
        return
      }
      default:
        this.#visitParts(node, opensScope(node) ? blockScope(node, scope) : scope)
    }
  }

  #visitParts(node: Anything, scope: Scope | null): void {
    for (const part of Object.values(node)) this.visit(part, scope)
  }

  #visitMember(node: Anything, scope: Scope | null): void {
    this.visit(node.object, scope)
    if (node.computed === true) this.visit(node.property, scope)
    else if (isNode(node.property)) {
      const name = String(node.property.name)
      if (Object.hasOwn(refusedMembers, name)) this.#refuse(`it uses .${name}`, refusedMembers[name])
    }
  }

  /** Of what is declared only defaults and computed keys are read. */
  #visitPatterns(patterns: readonly unknown[], scope: Scope | null): void {
    for (const pattern of patterns) {
      if (!isNode(pattern)) continue
      if (pattern.type === 'AssignmentPattern') {
        this.#visitPatterns([pattern.left], scope)
        this.visit(pattern.right, scope)
      } else if (pattern.type === 'ArrayPattern') this.#visitPatterns(pattern.elements as readonly unknown[], scope)
      else if (pattern.type === 'RestElement') this.#visitPatterns([pattern.argument], scope)
      else if (pattern.type === 'ObjectPattern') {
        for (const property of pattern.properties as readonly Anything[]) {
          if (property.computed === true) this.visit(property.key, scope)
          this.#visitPatterns([property.type === 'RestElement' ? property.argument : property.value], scope)
        }
      }
    }
  }

  #visitName(name: string, scope: Scope | null): void {
    for (let at = scope; at !== null; at = at.around) if (at.names.has(name)) return
    if (allowed.has(name)) return
    const hint = refusedGlobals[name] ?? 'it runs by itself, in the engine: put all that it needs into it'
    this.#refuse(`it uses ${name}, which is not its own`, hint)
  }

  #refuse(what: string, hint: string): void {
    this.problem ??= { what, hint }
  }
}

function isNode(value: unknown): value is Anything {
  return typeof value === 'object' && value !== null && typeof (value as { readonly type?: unknown }).type === 'string'
}

function opensScope({ type }: Anything): boolean {
  return /^(BlockStatement|For(In|Of)?Statement|SwitchStatement|Class(Expression|Declaration))$/.test(type)
}

/** Names of let, const, class and functions that stand right in a block, a loop's head or a switch. */
function blockScope(node: Anything, around: Scope | null): Scope {
  const scope: Scope = { names: new Set(), around }
  const cases = (node.cases ?? []) as readonly Anything[]
  const inside = [node.body, node.init, node.left, ...cases.map((one) => one.consequent)].flat()
  for (const statement of inside) {
    if (!isNode(statement)) continue
    if (statement.type === 'VariableDeclaration') declareAll(statement, scope)
    else if (/^(Class|Function)Declaration$/.test(statement.type)) declarePattern(statement.id, scope)
  }
  if (/^Class/.test(node.type)) declarePattern(node.id, scope)
  return scope
}

function declareAll(declaration: Anything, scope: Scope): void {
  for (const { id } of declaration.declarations as readonly Anything[]) declarePattern(id, scope)
}

/** `var` belongs to the function, wherever it stands in it. */
function declareVars(node: unknown, scope: Scope): void {
  if (Array.isArray(node)) for (const one of node) declareVars(one, scope)
  if (!isNode(node) || functions.has(node.type)) return
  if (node.type === 'VariableDeclaration' && node.kind === 'var') declareAll(node, scope)
  for (const part of Object.values(node)) if (typeof part === 'object') declareVars(part, scope)
}

function declarePattern(pattern: unknown, scope: Scope): void {
  if (!isNode(pattern)) return
  switch (pattern.type) {
    case 'Identifier':
      scope.names.add(String(pattern.name))
      return
    case 'AssignmentPattern':
      declarePattern(pattern.left, scope)
      return
    case 'RestElement':
      declarePattern(pattern.argument, scope)
      return
    case 'ArrayPattern':
      for (const element of pattern.elements as readonly unknown[]) declarePattern(element, scope)
      return
    case 'ObjectPattern':
      for (const property of pattern.properties as readonly Anything[]) {
        declarePattern(property.type === 'RestElement' ? property.argument : property.value, scope)
      }
  }
}
