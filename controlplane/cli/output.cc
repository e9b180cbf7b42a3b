#include "controlplane/cli/output.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "ipc/base/assert.h"

namespace phalanx::cli {
namespace {

bool is_number(std::string_view cell) {
  return !cell.empty() && std::ranges::all_of(cell, [](char c) {
    return (c >= '0' && c <= '9') || c == ',' || c == '.' || c == '-';
  });
}

/// Columns on a terminal: bytes that do not continue a UTF-8 character.
std::size_t width_of(std::string_view cell) {
  return static_cast<std::size_t>(std::ranges::count_if(
      cell, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string line_of(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths,
                    const std::vector<bool>& right) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string pad(widths[i] - width_of(cells[i]), ' ');
    if (i > 0) line += "  ";
    line += right[i] ? pad + cells[i] : cells[i] + pad;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

/// Length of the UTF-8 character that `bytes` begins with, or 0 when it begins with none.
std::size_t utf8_length(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = at(0);
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || bytes.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = at(1);
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool outside = (lead == 0xed && second >= 0xa0) || (lead == 0xf4 && second >= 0x90);
  const bool c1_control = lead == 0xc2 && second < 0xa0;
  return overlong || outside || c1_control ? 0 : length;
}

}  // namespace

void Table::row(std::vector<std::string> cells) {
  PHX_CHECK(cells.size() == headings_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  std::vector<bool> right;
  for (std::size_t i = 0; i < headings_.size(); ++i) {
    widths.push_back(width_of(headings_[i]));
    bool numbers = !rows_.empty();
    for (const auto& row : rows_) {
      widths[i] = std::max(widths[i], width_of(row[i]));
      numbers = numbers && is_number(row[i]);
    }
    right.push_back(numbers);
  }
  std::string out = line_of(headings_, widths, right);
  for (const auto& row : rows_) out += line_of(row, widths, right);
  return out;
}

std::string painted(std::string_view text, Tone tone) {
  const char* no_color = std::getenv("NO_COLOR");
  const bool plain = (no_color != nullptr && *no_color != '\0') || isatty(STDOUT_FILENO) == 0;
  if (plain || tone == Tone::Plain) return std::string(text);
  return (tone == Tone::Good ? "\033[32m" : "\033[31m") + std::string(text) + "\033[0m";
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string counted(std::uint64_t number, std::string_view noun) {
  return grouped(number) + " " + std::string(noun) + (number == 1 ? "" : "s");
}

std::string fixed(double number, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, number);
  return text.data();
}

std::string short_number(double number) {
  if (number >= 1e6) return fixed(number / 1e6, 2) + " M";
  if (number >= 1e4) return fixed(number / 1e3, 1) + " k";
  return fixed(number, 0);
}

std::string escaped(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size();) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (byte >= 0x80) {
      if (const std::size_t length = utf8_length(bytes.substr(i)); length != 0) {
        out += bytes.substr(i, length);
        i += length;
        continue;
      }
    }
    ++i;
    if (byte == '\\')
      out += "\\\\";
    else if (byte == '\n')
      out += "\\n";
    else if (byte == '\r')
      out += "\\r";
    else if (byte == '\t')
      out += "\\t";
    else if (byte >= 0x20 && byte < 0x7f)
      out += static_cast<char>(byte);
    else {
      std::array<char, 5> hex{};
      std::snprintf(hex.data(), hex.size(), "\\x%02x", byte);
      out += hex.data();
    }
  }
  return out;
}

}  // namespace phalanx::cli
