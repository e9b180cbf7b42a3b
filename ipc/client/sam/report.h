#pragma once

#include <phalanx/sam.h>

namespace phalanx::client::sam {

/// Hands a report to options.report, or writes a line for a failure on standard error.
void report(const phx_sam_options& options, const phx_sam_report& what) noexcept;

}  // namespace phalanx::client::sam
