// The style sheet of the report page.
#ifndef SASQ_QUANT_ARTIFACT_REPORT_STYLE_H_
#define SASQ_QUANT_ARTIFACT_REPORT_STYLE_H_

namespace sasq {

// Light by default, dark where the reader's system is. Below 640 px every row of the comparison
// becomes a block of its own, so that nothing needs sideways scrolling.
inline constexpr char kReportStyle[] = R"css(
:root {
  color-scheme: light dark;
  --page: #f7f8fa; --card: #ffffff; --line: #dfe3e8; --grid: #e6e9ee; --ink: #1b2430;
  --dim: #5b6775; --accent: #1f6feb; --accent-soft: #e4eefd; --dot: #8fb4f0;
  --dynamic: #c2570c; --warn: #b7791f; --warn-soft: #fff7e3; --zero: #5b677522;
  --s1: #c2570c; --s2: #15803d; --s3: #8b3fd9; --s4: #c81e5a; --s5: #0e7490;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --card: #1a2028; --line: #303945; --grid: #2a323d; --ink: #e5eaf0;
    --dim: #9aa7b5; --accent: #6ea8ff; --accent-soft: #1b2b45; --dot: #45689c;
    --dynamic: #f59e5b; --warn: #d9a441; --warn-soft: #2b2415; --zero: #9aa7b522;
    --s1: #f59e5b; --s2: #4ade80; --s3: #c79bff; --s4: #ff8fb1; --s5: #5fd3e6;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 32px 20px 48px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
}
h1, p, dd { overflow-wrap: anywhere; }
main { max-width: 1060px; margin: 0 auto; }
h1 { font-size: 26px; line-height: 1.25; margin: 0; }
h2 { font-size: 18px; margin: 36px 0 4px; }
h3 { font-size: 14px; margin: 0 0 6px; font-weight: 600; }
p { margin: 6px 0; max-width: 92ch; }
.dim { color: var(--dim); }
code { font: 0.92em ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; min-width: 0; }
.advice.main { border-color: var(--accent); background: var(--accent-soft); }
.advice .value { font-size: 27px; line-height: 1.35; font-weight: 650; overflow-wrap: anywhere; }
.advice .what { margin-bottom: 6px; }
.warning { border-color: var(--warn); background: var(--warn-soft); }
ul { margin: 6px 0; padding-left: 20px; max-width: 96ch; }
li { margin: 3px 0; overflow-wrap: anywhere; }
.card { padding: 14px 16px; margin-top: 12px; }
.pair { display: grid; gap: 12px; margin-top: 12px;
        grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); }
.pair > .card { margin-top: 0; }
.pair > .wide { grid-column: 1 / -1; }
h3.above { margin: 22px 0 0; }
table { border-collapse: collapse; width: auto; min-width: min(100%, 700px); font-variant-numeric: tabular-nums; }
thead th { font-size: 12.5px; font-weight: 600; color: var(--dim); text-align: left; }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--line); vertical-align: middle; }
thead th { vertical-align: bottom; }
tbody th { text-align: left; font-weight: 400; min-width: 150px; overflow-wrap: anywhere; }
tbody tr:last-child > * { border-bottom: 0; }
td.n, th.n { text-align: right; }
td.n { white-space: nowrap; }
tr.chosen > * { background: var(--accent-soft); }
tr.chosen > th code { font-weight: 700; }
tr.group th { padding: 16px 10px 6px; font-size: 13px; font-weight: 600; color: var(--accent); }
tbody tr.group:first-child th { padding-top: 8px; }
p.note { font-size: 12.5px; margin: 4px 0 8px; }
.detail { display: block; font-size: 12.5px; color: var(--dim); }
.bar { display: inline-block; vertical-align: middle; width: 80px; height: 8px; margin-right: 10px;
       border-radius: 4px; background: var(--grid); overflow: hidden; }
.percent { display: inline-block; min-width: 72px; }
.bar i { display: block; height: 100%; border-radius: 4px; background: var(--accent); }
.scroll { overflow-x: auto; }
.scroll.sites { max-height: 460px; overflow-y: auto; font-size: 12.5px; }
.sites td, .sites th { padding: 3px 8px; }
.sites thead th { position: sticky; top: 0; background: var(--card); }
.strips { margin-top: 8px; }
.strip-row, .strip-axis { display: grid; align-items: center; column-gap: 12px; padding: 0 8px;
                          grid-template-columns: minmax(150px, 24%) 1fr 76px; }
.strip-row.marked { background: var(--accent-soft); border-radius: 6px; font-weight: 650; }
.strip-row span { overflow-wrap: anywhere; line-height: 1.2; }
.strip-row .strip-value { text-align: right; font-variant-numeric: tabular-nums; }
.strip-group { font-size: 13px; font-weight: 600; color: var(--accent); padding: 10px 8px 4px; }
svg.strip { height: 26px; }
.strip-axis svg.strip { height: 18px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 12.5px; color: var(--dim); }
.legend span { display: inline-flex; align-items: center; gap: 6px; overflow-wrap: anywhere; }
.key { width: 10px; height: 10px; border-radius: 5px; }
.key.static { background: var(--accent); }
.key.dynamic { background: var(--dynamic); }
.key.control { background: var(--dim); }
dl { display: grid; grid-template-columns: minmax(110px, max-content) 1fr; gap: 4px 18px; margin: 0; }
dt { color: var(--dim); }
dd { margin: 0; min-width: 0; }
summary { cursor: pointer; color: var(--accent); overflow-wrap: anywhere; }
details { margin-top: 12px; }
details dl { margin-top: 10px; }
details.training { border-top: 1px solid var(--line); padding-top: 10px; }
details.training > summary { font-size: 16px; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--dim); font: 11px system-ui, "Liberation Sans", sans-serif; }
svg .grid { stroke: var(--grid); }
svg .one { stroke: var(--dim); }
svg .dot { fill: var(--dot); }
svg .curve { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; }
svg .stem { stroke: var(--accent); stroke-opacity: 0.55; stroke-width: 1.5; }
svg .mark { fill: var(--accent); }
svg .bin { fill: var(--dot); }
svg .bin.over { fill: var(--dynamic); }
svg .zero { fill: var(--zero); }
svg line.clip { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 4 3; }
svg text.clip { fill: var(--ink); }
svg .power { font-size: 8px; }
svg .off { fill: var(--dynamic); font-size: 14px; }
svg .whisker { stroke-width: 2; }
svg .whisker.static { stroke: var(--accent); }
svg .whisker.dynamic { stroke: var(--dynamic); }
svg .whisker.control { stroke: var(--dim); }
svg .point.static { fill: var(--accent); }
svg .point.dynamic { fill: var(--dynamic); }
svg .point.control { fill: var(--dim); }
svg.swatch { display: inline-block; width: 34px; flex: none; }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .s0 { stroke: var(--accent); }
svg .s1 { stroke: var(--s1); stroke-dasharray: 7 3; }
svg .s2 { stroke: var(--s2); stroke-dasharray: 2 2.5; }
svg .s3 { stroke: var(--s3); stroke-dasharray: 9 3 2 3; }
svg .s4 { stroke: var(--s4); stroke-dasharray: 4 2; }
svg .s5 { stroke: var(--s5); stroke-dasharray: 12 3; }
@media (max-width: 640px) {
  body { padding: 20px 12px 32px; }
  .card { padding: 12px; }
  table.rows thead { display: none; }
  table.rows, table.rows tbody { display: block; }
  table.rows tr { display: block; padding: 8px 0; border-bottom: 1px solid var(--line); }
  table.rows tr:last-child { border-bottom: 0; }
  table.rows td { display: flex; justify-content: space-between; gap: 12px; border: 0;
                  padding: 2px 8px; text-align: right; white-space: normal; }
  table.rows td::before { content: attr(data-label); color: var(--dim); text-align: left; }
  table.rows th { display: block; border: 0; padding: 2px 8px; }
  table.rows th code { font-weight: 600; }
  table.rows tr.group th { padding: 10px 8px 2px; }
  td .bar { width: 60px; }
  .strip-row { grid-template-columns: 1fr auto; padding: 4px 8px 0; }
  .strip-row svg.strip { grid-column: 1 / 3; grid-row: 2; }
  .strip-axis { grid-template-columns: 1fr; }
  .strip-axis span { display: none; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 8px; }
}
@media print { body { padding: 0; } .card { break-inside: avoid; } }
)css";

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_REPORT_STYLE_H_
