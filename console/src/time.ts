/** 63250000 → "1:03.25"; hours only where there are any. */
export function clock(us: number, decimals = 2): string {
  const hundredths = Math.round((us / 1e6) * 10 ** decimals);
  const whole = Math.floor(hundredths / 10 ** decimals);
  const rest = decimals ? `.${String(hundredths % 10 ** decimals).padStart(decimals, "0")}` : "";
  const two = (n: number) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return (h ? `${h}:${two(m)}` : `${m}`) + `:${two(s)}${rest}`;
}

export const span = (start_us: number, end_us: number) => `${clock(start_us)} – ${clock(end_us)}`;

const STEPS_S = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

/** Times to write along a scale of `width` pixels: round ones, at least 64 px apart. */
export function ticks(whole_us: number, width: number): number[] {
  const most = Math.max(2, Math.floor(width / 64));
  const step = (STEPS_S.find((s) => whole_us / 1e6 / s <= most) ?? 7200) * 1e6;
  return Array.from({ length: Math.floor(whole_us / step) + 1 }, (_, n) => n * step);
}

/** Lays spans side by side: for each, the row it takes so that none in a row overlap; the last row takes what is left. */
export function rows<T extends { start_us: number; end_us: number }>(spans: T[], most: number, least_us: number): { one: T; row: number }[] {
  const ends: number[] = [];
  return [...spans]
    .sort((a, b) => a.start_us - b.start_us || b.end_us - a.end_us)
    .map((one) => {
      let row = ends.findIndex((end) => end <= one.start_us);
      if (row < 0) row = Math.min(ends.length, most - 1);
      ends[row] = Math.max(ends[row] ?? 0, one.end_us, one.start_us + least_us);
      return { one, row };
    });
}
