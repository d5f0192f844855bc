#include "client/junit.h"

#include <tinyxml2.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/text.h"
#include "quant/gates/gates.h"

namespace sasq {

std::string JunitXml(const v1::Job& job, const std::string& row,
                     absl::Span<const v1::GateResult> results) {
  const auto failures =
      std::count_if(results.begin(), results.end(),
                    [](const v1::GateResult& result) { return !result.passed(); });
  const std::string class_name =
      job.spec().display_name().empty() ? job.name() : CleanLine(job.spec().display_name());
  tinyxml2::XMLPrinter xml;
  xml.PushHeader(/*writeBOM=*/false, /*writeDeclaration=*/true);
  xml.OpenElement("testsuites");
  xml.OpenElement("testsuite");
  xml.PushAttribute("name", absl::StrCat("quality gates of ", job.name(), ", ", row).c_str());
  xml.PushAttribute("tests", static_cast<int64_t>(results.size()));
  xml.PushAttribute("failures", static_cast<int64_t>(failures));
  xml.PushAttribute("errors", 0);
  xml.PushAttribute("skipped", 0);
  for (const v1::GateResult& result : results) {
    const std::string name =
        absl::StrCat(result.gate(), result.text().empty() ? "" : "@", result.text());
    const std::string words = CleanLine(DescribeGate(result));
    xml.OpenElement("testcase");
    xml.PushAttribute("classname", class_name.c_str());
    xml.PushAttribute("name", CleanLine(name).c_str());
    if (result.passed()) {
      xml.OpenElement("system-out");
      xml.PushText(words.c_str());
    } else {
      xml.OpenElement("failure");
      xml.PushAttribute("message", words.c_str());
      xml.PushAttribute("type", "gate");
    }
    xml.CloseElement();
    xml.CloseElement();
  }
  xml.CloseElement();
  xml.CloseElement();
  return xml.CStr();
}

}  // namespace sasq
