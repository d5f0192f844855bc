// The reference of the command line in Markdown, docs/cli_reference.md.
#ifndef SASQ_CLIENT_MARKDOWN_MANUAL_H_
#define SASQ_CLIENT_MARKDOWN_MANUAL_H_

#include <string>

#include "absl/types/span.h"
#include "client/command_tree.h"
#include "client/spec_flags.h"

namespace sasq {

// `spec_flags` name the fields that flags set. The flags that `plan` knows, which are those of
// every command that takes a spec, are told once.
std::string MarkdownManual(const CommandTree& tree, absl::Span<const SpecFlag> spec_flags);

}  // namespace sasq

#endif  // SASQ_CLIENT_MARKDOWN_MANUAL_H_
