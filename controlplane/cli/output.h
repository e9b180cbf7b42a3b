#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace phalanx::cli {

/// Rows under headings, as wide as they need; numbers are put to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}

  /// As many cells as there are headings.
  void row(std::vector<std::string> cells);
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

enum class Tone : std::uint8_t { Good, Bad, Plain };

/// `text` in colour when standard output is a terminal and NO_COLOR is not set.
[[nodiscard]] std::string painted(std::string_view text, Tone tone);

/// "1,234,567".
[[nodiscard]] std::string grouped(std::uint64_t number);
/// "1 node", "2,000 nodes".
[[nodiscard]] std::string counted(std::uint64_t number, std::string_view noun);
/// With `digits` behind the point: fixed(1.25, 1) is "1.3".
[[nodiscard]] std::string fixed(double number, int digits);
/// "3.2 M", "871 k", "12": for rates.
[[nodiscard]] std::string short_number(double number);

/// What may stand on a line of its own: backslash, control bytes and bytes that are no UTF-8 come
/// as \\, \n, \r, \t or \xHH. Reversible, and the same everywhere.
[[nodiscard]] std::string escaped(std::string_view bytes);

}  // namespace phalanx::cli
