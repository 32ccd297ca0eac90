//! The page's one style sheet.

/// Light and dark by the reader's system, printable, one column below 760 px.
pub const CSS: &str = r#"
:root{color-scheme:light dark;--paper:#fff;--ink:#1f242a;--muted:#5d6670;--grid:#dee1e5;--soft:#f5f6f7;--accent:#0b62a0;
--good:#00734f;--bad:#b03a00;--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#cc79a7;--c4:#e69f00;--c5:#56b4e9}
@media (prefers-color-scheme:dark){:root{--paper:#15181b;--ink:#e4e7ea;--muted:#9ca6af;--grid:#30363c;--soft:#1d2125;--accent:#74b9ee;
--good:#4fc79c;--bad:#ff9a63;--c0:#4aa3df;--c1:#f08444;--c2:#33c296;--c3:#dd98be;--c4:#edb337;--c5:#9ad3f5}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0 auto;padding:2rem 1rem 4rem;max-width:66rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
a{color:var(--accent);text-underline-offset:.15em}
h1,h2,h3,caption,figcaption{line-height:1.25;font-weight:600;overflow-wrap:anywhere}
h1{font-size:1.75rem;margin:0}
h2{font-size:1.25rem;margin:3rem 0 1rem}
h3{font-size:1rem;margin:1.5rem 0 .5rem}
header p{margin:.25rem 0 0;color:var(--muted)}
p{margin:.5rem 0;max-width:44rem;overflow-wrap:anywhere}
.answer{margin-top:1.5rem;padding:1.25rem 1.5rem;border-left:4px solid var(--accent);background:var(--soft)}
.verdict{font-size:1.375rem;font-weight:600;margin:0 0 .25rem}
.warning{border:1px solid var(--bad);padding:.5rem .75rem;border-radius:4px}
.warning::before{content:"! ";color:var(--bad);font-weight:700}
.good{color:var(--good);font-weight:700}
.bad{color:var(--bad);font-weight:700}
.numbers{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:1rem;margin:1.25rem 0;max-width:44rem}
.numbers strong{display:block;font-size:1.75rem;line-height:1.2;font-weight:600;font-variant-numeric:tabular-nums}
.numbers span{color:var(--muted);font-size:.875rem;overflow-wrap:anywhere}
.slos{max-width:none;list-style:none;margin:1rem 0 0;padding:0;display:grid;grid-template-columns:repeat(auto-fit,minmax(min(21.5rem,100%),1fr));gap:.25rem 1.5rem}
.slos li{overflow-wrap:anywhere}
.slos b{font-weight:600;white-space:nowrap}
nav{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin-top:1.5rem;font-size:.875rem}
.pictures{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:2.5rem 2rem;align-items:start}
figure{margin:0;min-width:0}
figcaption{margin-bottom:.75rem}
figure>p{font-size:.8125rem;color:var(--muted);margin:.25rem 0}
svg{display:block;height:auto;max-width:29.5rem}
.scroll{overflow-x:auto;margin:0 0 1.75rem}
.scroll:focus-visible{outline:2px solid var(--accent)}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums;min-width:50%}
caption{text-align:left;padding:.25rem 0 .375rem;font-size:1rem}
th,td{padding:.3rem 1.25rem .3rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--grid);white-space:nowrap}
thead th{font-weight:400;color:var(--muted);border-color:var(--muted)}
tbody th{font-weight:400}
tbody th.long{white-space:normal;overflow-wrap:anywhere;min-width:14rem}
.n{text-align:right}
tr:target>*{background:color-mix(in srgb,var(--accent) 14%,transparent)}
tr.worst>*{font-weight:600}
small{font-size:.8125rem;color:var(--muted)}
.working{white-space:normal;min-width:16rem;overflow-wrap:anywhere}
.working span{display:block}
.working span+span{color:var(--muted)}
td .working{max-width:30rem}
.wrap{white-space:normal;min-width:14rem}
details{margin:.5rem 0 1rem;font-size:.875rem}
summary{cursor:pointer;color:var(--accent)}
details .scroll{max-height:22rem;overflow:auto;margin-top:.5rem}
details thead th{position:sticky;top:0;background:var(--paper)}
dl{margin:0 0 1rem;font-size:.875rem}
dl div{display:flex;gap:1rem;padding:.2rem 0}
dt{color:var(--muted);flex:0 0 10rem;overflow-wrap:anywhere}
dd{margin:0;overflow-wrap:anywhere;min-width:0}
ul{padding-left:1.25rem;max-width:44rem;overflow-wrap:anywhere}
#estimate table{width:100%}#estimate thead th{width:20%}#estimate thead th:nth-child(2){width:16%}#estimate thead th:nth-child(3){width:46%}
@media (max-width:47.5rem){th,td{padding-right:.75rem}table{font-size:.8125rem}tbody th{white-space:normal;min-width:5.5rem;overflow-wrap:anywhere}
.pictures{grid-template-columns:minmax(0,1fr)}body{padding-top:1.25rem}.answer{padding:1rem}
dt{flex-basis:9rem}
#estimate thead{display:none}#estimate tr,#estimate th,#estimate td{display:block;border:0;padding:0;text-align:left;min-width:0}
#estimate tr{border-bottom:1px solid var(--grid);padding:.5rem 0}.numbers{grid-template-columns:repeat(3,minmax(0,1fr));gap:.75rem}.numbers strong{font-size:1.1875rem}}
@media print{:root{--paper:#fff;--ink:#000;--muted:#444;--grid:#ccc;--soft:#fff;--accent:#000;--good:#000;--bad:#000;
--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#cc79a7;--c4:#e69f00;--c5:#56b4e9}
body{max-width:none;padding:0;font-size:10pt}nav,details{display:none}figure,tr,.answer{break-inside:avoid}h2,caption{break-after:avoid}
.scroll{overflow:visible}th,td{white-space:normal;padding-right:.6rem}table{font-size:8.5pt}}
"#;
