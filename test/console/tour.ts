// Where somebody who looks at everything goes.
import type { Page } from 'playwright-core'

export interface Shown {
  readonly name: string
  readonly address: string
  /** What must be on the page before it is looked at. */
  readonly ready: (page: Page) => Promise<unknown>
}

const query = `SELECT c.city, count(*) AS orders, sum(o.amount) AS revenue
FROM orders o JOIN courier c ON c.id = o.courier
WHERE o.status = 'paid'
GROUP BY c.city ORDER BY revenue DESC`

/** Every page, in every state that looks different. */
export const pages: readonly Shown[] = [
  {
    name: 'overview',
    address: '/',
    ready: (page) => page.getByRole('table', { name: 'Views' }).getByText('revenue_by_city').waitFor(),
  },
  {
    name: 'view',
    address: '/views/revenue_by_city',
    ready: (page) => page.getByRole('gridcell', { name: 'Berlin' }).waitFor(),
  },
  {
    name: 'view-snippets',
    address: '/views/revenue_by_city?tab=snippets',
    ready: (page) => page.getByText('createClient').first().waitFor(),
  },
  {
    name: 'view-errors',
    address: '/views/price_per_item?tab=errors',
    ready: (page) => page.getByText('division by zero').first().waitFor(),
  },
  {
    name: 'view-changes',
    address: '/views/revenue_by_city?tab=changes',
    ready: (page) => page.getByText('All changes').waitFor(),
  },
  {
    name: 'view-as-of',
    address: '/views/revenue_by_city?as_of=10',
    ready: (page) => page.getByText('as of 10', { exact: true }).waitFor(),
  },
  {
    name: 'view-map',
    address: '/views/cities?tab=chart',
    ready: (page) => page.getByRole('img', { name: /12 places by orders/ }).waitFor(),
  },
  {
    name: 'view-lines',
    address: '/views/orders_per_minute?tab=chart',
    ready: (page) => page.locator('.uplot canvas').waitFor(),
  },
  {
    name: 'view-bars',
    address: '/views/busiest_couriers?tab=chart',
    ready: (page) => page.getByRole('list', { name: /orders/ }).waitFor(),
  },
  {
    name: 'view-definition',
    address: '/views/cities?tab=definition',
    ready: (page) => page.getByRole('table', { name: 'Plan' }).getByText('join').waitFor(),
  },
  {
    name: 'topic',
    address: '/topics/orders?event=3990',
    ready: (page) => page.getByRole('complementary', { name: 'Event 3990' }).waitFor(),
  },
  {
    name: 'topic-filter',
    address: '/topics/orders?where=items%20%3D%200',
    ready: (page) => page.getByText('the newest first').waitFor(),
  },
  {
    name: 'topic-schema',
    address: '/topics/orders?tab=schema',
    ready: (page) => page.getByText('Watermark').waitFor(),
  },
  {
    name: 'topic-append',
    address: '/topics/orders?tab=append',
    ready: (page) => page.getByLabel('amount').waitFor(),
  },
  {
    name: 'query',
    address: `/query?sql=${encodeURIComponent(query)}`,
    ready: (page) => page.getByRole('gridcell', { name: 'Berlin' }).waitFor(),
  },
  {
    name: 'query-plan',
    address: `/query?tab=plan&sql=${encodeURIComponent(query)}`,
    ready: (page) => page.getByRole('list', { name: 'Plan' }).getByText('scan').first().waitFor(),
  },
  {
    name: 'query-empty',
    address: '/query',
    ready: (page) => page.getByText('Ask anything that is defined').waitFor(),
  },
  {
    name: 'why',
    address: '/views/revenue_by_city/why?eq.city=Oslo',
    ready: (page) => page.getByText('count(*), sum(amount), avg(amount) GROUP BY city').waitFor(),
  },
  {
    name: 'why-not',
    address: '/views/revenue_by_city/why?eq.city=Paris',
    ready: (page) => page.getByText('not there').waitFor(),
  },
  {
    name: 'event',
    address: '/events/orders/3990',
    ready: (page) => page.getByText('Rows that it changed').waitFor(),
  },
  {
    name: 'events',
    address: '/events?topic=orders&column=courier&value=c05',
    ready: (page) => page.getByText('the newest first').waitFor(),
  },
  {
    name: 'dashboard',
    address: '/dashboards',
    ready: async (page) => {
      await page.getByRole('img', { name: /^Revenue per minute: revenue from/ }).waitFor()
      await page.getByRole('list', { name: 'Revenue by city' }).getByText('Berlin').waitFor()
      await page.getByRole('img', { name: /^Where orders go: 12 places/ }).waitFor()
      await page.locator('.uplot canvas').first().waitFor()
    },
  },
  {
    name: 'dashboard-named',
    address: '/dashboards/couriers',
    ready: (page) => page.getByRole('list', { name: 'Busiest' }).getByText('c01').waitFor(),
  },
  {
    name: 'dashboard-missing',
    address: '/dashboards/nope',
    ready: (page) => page.getByText('There is no dashboard nope').waitFor(),
  },
  {
    name: 'topology',
    address: '/topology',
    ready: (page) => page.getByRole('button', { name: /^revenue_by_city/ }).waitFor(),
  },
  {
    name: 'topology-topic',
    address: '/topology?node=topic-3',
    ready: (page) => page.getByRole('complementary').getByText('Latest changes').waitFor(),
  },
  {
    name: 'topology-view',
    address: '/topology?view=cities&node=view-5',
    ready: (page) => page.getByRole('complementary').getByText('Latest changes').waitFor(),
  },
  {
    name: 'time',
    address: '/time',
    ready: async (page) => {
      await page.getByText('Behind the clock').waitFor()
      await page.getByRole('table', { name: 'Late events' }).waitFor()
    },
  },
]

/** For what comes behind the first answers. */
const settlingMs = 300

export function settled(page: Page): Promise<void> {
  return page.waitForTimeout(settlingMs)
}
