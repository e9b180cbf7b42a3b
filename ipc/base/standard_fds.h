#pragma once

namespace phalanx {

/// Fills what is closed of the descriptors 0, 1 and 2, so that no socket or file opened later takes
/// such a number and what is meant for standard error ends up in it. Reading standard input then
/// and writing the others fails with EBADF, as if they were still closed. The first call of a
/// main().
void occupy_standard_fds() noexcept;

}  // namespace phalanx
