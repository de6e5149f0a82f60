// Small numbers: medians, percentiles, rounding for tables.

export function percentile(values, p) {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor((p / 100) * sorted.length))];
}

export const median = (values) => percentile(values, 50);

/** Three significant digits, without exponents. */
export function round(value) {
    if (!Number.isFinite(value)) return value;
    const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
    return Number(value.toFixed(Math.min(digits, 6)));
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs `first` and `second` in turn, so that what else the machine does hits both. */
export async function interleave(rounds, first, second) {
    const results = [[], []];
    for (let i = 0; i < rounds; i++) {
        results[0].push(await first(i));
        results[1].push(await second(i));
    }
    return results;
}
