/** What the work below takes on an idle machine of two cores, with room to spare, ms. */
const usualMs = 150;
const most = 8;

/**
 * How many times slower than usual this machine is at the moment, from 1 to 8: time limits, which only say when a wait is hopeless, are
 * stretched by it.
 */
export function machinePace(): number {
  const start = performance.now();
  const objects = Array.from({ length: 100_000 }, (_, index) => ({ index, name: `object-${index}`, labels: { app: "x" } }));
  JSON.parse(JSON.stringify(objects));
  const pace = (performance.now() - start) / usualMs;
  // Where a short burst is slow already, long work on all processors is slower still.
  return pace <= 1.2 ? 1 : Math.min(most, Math.ceil(pace * 2));
}
