// The style sheet of the report page.
#ifndef SASQ_QUANT_ARTIFACT_REPORT_STYLE_H_
#define SASQ_QUANT_ARTIFACT_REPORT_STYLE_H_

namespace sasq {

// Light by default, dark where the reader's system is. Below 640 px every row of the comparison
// becomes a block of its own, so that nothing needs sideways scrolling.
inline constexpr char kReportStyle[] = R"css(
:root {
  color-scheme: light dark;
  --page: #f7f8fa; --card: #ffffff; --line: #dfe3e8; --grid: #e9ecf0; --ink: #1b2430;
  --dim: #5b6775; --accent: #1f6feb; --accent-soft: #dbe8fd; --dot: #8fb4f0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --card: #1a2028; --line: #303945; --grid: #2a323d; --ink: #e5eaf0;
    --dim: #9aa7b5; --accent: #6ea8ff; --accent-soft: #1d314f; --dot: #45689c;
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
.tiles { display: grid; gap: 12px; margin: 20px 0 8px;
         grid-template-columns: repeat(auto-fit, minmax(min(190px, 100%), 1fr)); }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 12px 16px; }
.tile.main { border-color: var(--accent); background: var(--accent-soft); }
.tile .value { font-size: 27px; line-height: 1.3; font-weight: 650;
               font-variant-numeric: tabular-nums; }
.card { padding: 14px 16px; margin-top: 12px; }
.pair { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); }
.pair > .card { margin-top: 0; }
.pair { margin-top: 12px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { font-size: 12.5px; font-weight: 600; color: var(--dim); text-align: left; }
th, td { padding: 8px 10px; border-bottom: 1px solid var(--line); vertical-align: middle; }
tbody tr:last-child td { border-bottom: 0; }
td.n, th.n { text-align: right; white-space: nowrap; }
tr.chosen td { background: var(--accent-soft); }
tr.group td { padding: 16px 10px 6px; font-size: 13px; font-weight: 600; color: var(--accent); }
tbody tr.group:first-child td { padding-top: 8px; }
p.note { font-size: 12.5px; margin: 8px 0 0; }
td .code { display: block; font-size: 12.5px; color: var(--dim); }
.bar { display: inline-block; vertical-align: middle; width: 92px; height: 8px; margin-right: 10px;
       border-radius: 4px; background: var(--grid); overflow: hidden; }
.percent { display: inline-block; min-width: 74px; }
.bar i { display: block; height: 100%; border-radius: 4px; background: var(--accent); }
dl { display: grid; grid-template-columns: minmax(110px, max-content) 1fr; gap: 4px 18px; margin: 0; }
dt { color: var(--dim); }
dd { margin: 0; min-width: 0; }
summary { cursor: pointer; color: var(--accent); }
details { margin-top: 12px; }
details dl { margin-top: 10px; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--dim); font: 11px system-ui, "Liberation Sans", sans-serif; }
svg .grid { stroke: var(--grid); }
svg .one { stroke: var(--dim); }
svg .dot { fill: var(--dot); }
svg .curve { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; }
svg .stem { stroke: var(--accent); stroke-opacity: 0.55; stroke-width: 1.5; }
svg .mark { fill: var(--accent); }
@media (max-width: 640px) {
  body { padding: 20px 12px 32px; }
  table.rows thead { display: none; }
  table.rows tr { display: block; padding: 8px 0; border-bottom: 1px solid var(--line); }
  table.rows tr:last-child { border-bottom: 0; }
  table.rows td { display: flex; justify-content: space-between; gap: 12px; border: 0;
                  padding: 2px 8px; text-align: right; }
  table.rows td::before { content: attr(data-label); color: var(--dim); text-align: left; }
  table.rows td:first-child { display: block; text-align: left; font-weight: 600; }
  table.rows td:first-child::before { content: none; }
  table.small td, table.small th { padding: 6px 4px; font-size: 12.5px; }
  table.rows tr.group td { padding: 10px 8px 2px; }
  table.rows td .code { font-weight: 400; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 8px; }
}
@media print { body { padding: 0; } .card, .tile { break-inside: avoid; } }
)css";

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_REPORT_STYLE_H_
