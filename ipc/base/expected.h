#pragma once

#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

namespace phalanx {

/// The one file that names the library, so that std::expected can replace it in one line.
template <class T, class E>
using Expected = tl::expected<T, E>;

/// `return fail(Error{...});` from a function that returns Expected<T, Error>.
template <class E>
[[nodiscard]] constexpr auto fail(E&& error) {
  return tl::unexpected<std::decay_t<E>>(std::forward<E>(error));
}

}  // namespace phalanx
