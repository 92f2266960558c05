#pragma once

// The section `.tare.awaits` of a program or library: where its coroutines can be suspended, by line. Computing this
// needs debug information and a disassembler, so `tare frames --await-table` does it after linking. Readers need
// neither: the process itself (<tare/await_table.hpp>) and `tare live`. The section is not loaded.
//
// It consists of lines of text:
//
//   tare awaits 1
//   build 78e3efc96bb5fbc5b45458cfa1aadeafc3f7356a
//   f /src/server.cpp
//   c 401a30 401c10 401d00 c 104 104 31 1 0 45 serve(int)
//   a 1 b 0 47
//   end
//
//   build  the build id of the file
//   f      a source file; they are numbered from 0 on
//   c      a coroutine: where in the file its functions begin that resume, destroy and clean up (hexadecimal, 0: none);
//          c for clang or g for g++; the bytes of its frame, and with the allocator's rounding (0: not known); where in
//          the frame the suspend index is, and its bytes (0: it has none); file and line of the declaration; its name
//   a      a place where the coroutine before it can be suspended: the index; b in its body, s at its start, e at its
//          end; file and line (0: not known)
//
// The file is not trusted: anything that violates the format is refused, and every index is checked.

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace tare::abi {

struct await_section {
  static constexpr std::string_view name = ".tare.awaits";
  static constexpr std::string_view title = "tare awaits ";
  static constexpr std::string_view version = "1";
  static constexpr std::uint64_t max_frame = std::uint64_t{1} << 30U;

  /// Whether a number at this offset in a frame can be read by one aligned load.
  [[nodiscard]] static constexpr bool can_be_read(std::uint64_t offset, std::uint64_t bytes) noexcept {
    return (bytes == 1 || bytes == 2 || bytes == 4) && offset % bytes == 0 && offset <= max_frame - bytes;
  }

  struct place {
    std::uint32_t index = 0;
    char kind = 'b';
    std::uint32_t file = 0;  ///< meaningless if there is no line
    std::uint32_t line = 0;
  };

  /// The addresses are not adjacent, because that would look like a frame to a tool that searches memory for frames.
  struct coroutine {
    std::uint64_t resume = 0;
    std::string_view name;
    std::uint64_t destroy = 0;
    std::uint32_t frame_bytes = 0;
    std::uint32_t allocated_bytes = 0;
    std::uint64_t cleanup = 0;
    char made_by = 'c';
    std::uint32_t index_offset = 0;
    std::uint32_t index_bytes = 0;
    std::uint32_t file = 0;
    std::uint32_t line = 0;
    std::uint32_t first_place = 0;
    std::uint32_t places = 0;  ///< count, starting from the first, ordered by index
  };

  std::string_view build_id;
  std::vector<std::string_view> files;
  std::vector<coroutine> coroutines;
  std::vector<place> all_places;

  /// The result refers to `text`, which must outlive it. The error says what is wrong, for a message that names the
  /// file.
  [[nodiscard]] static std::expected<await_section, std::string> read(std::string_view text);

  /// Where the coroutine is suspended for this index; nullptr if the index is unknown.
  [[nodiscard]] const place* place_at(const coroutine& of, std::uint32_t index) const noexcept {
    const auto first = all_places.begin() + of.first_place;
    const auto last = first + of.places;
    const auto found = std::lower_bound(first, last, index, [](const place& one, auto at) { return one.index < at; });
    return found == last || found->index != index ? nullptr : &*found;
  }
};

/// Reads line by line, and each line word by word.
class await_section_reader {
 public:
  explicit await_section_reader(std::string_view text) : rest_(text) {}

  std::expected<await_section, std::string> read() {
    if (!next_line() || !take(await_section::title)) return std::unexpected("it is not an await table");
    if (line_ != await_section::version) {
      const bool is_version =
          !line_.empty() && line_.size() <= 9 && line_.find_first_not_of("0123456789") == line_.npos;
      return std::unexpected(is_version ? "it is of version " + std::string(line_) + ", but only version " +
                                              std::string(await_section::version) + " is supported"
                                        : "it is not an await table");
    }
    if (!next_line() || !take("build ") || line_.empty()) return damaged();
    read_.build_id = line_;
    while (next_line()) {
      if (line_ == "end")
        return rest_.empty() ? std::expected<await_section, std::string>(std::move(read_)) : damaged();
      const bool sound = take("f ") ? read_file() : take("c ") ? read_coroutine() : take("a ") ? read_place() : false;
      if (!sound) return damaged();
    }
    return std::unexpected("it is truncated");
  }

 private:
  [[nodiscard]] std::unexpected<std::string> damaged() const {
    return std::unexpected("its line " + std::to_string(number_of_line_) + " is damaged");
  }

  /// False at the end, and for a line that is not terminated.
  bool next_line() {
    const auto end = rest_.find('\n');
    if (end == std::string_view::npos) return false;
    line_ = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    ++number_of_line_;
    return true;
  }

  bool take(std::string_view beginning) {
    if (!line_.starts_with(beginning)) return false;
    line_.remove_prefix(beginning.size());
    return true;
  }

  /// A number and the space after it, or the end of the line.
  bool number(std::unsigned_integral auto& into, int base = 10) {
    const auto [end, wrong] = std::from_chars(line_.data(), line_.data() + line_.size(), into, base);
    if (wrong != std::errc()) return false;
    line_.remove_prefix(static_cast<std::size_t>(end - line_.data()));
    return line_.empty() || take(" ");
  }

  bool letter(char& into, std::string_view of) {
    if (line_.size() < 2 || of.find(line_[0]) == std::string_view::npos || line_[1] != ' ') return false;
    into = line_[0];
    line_.remove_prefix(2);
    return true;
  }

  /// File and line; the file must be known.
  bool source(std::uint32_t& file, std::uint32_t& line) {
    return number(file) && number(line) && (line == 0 || file < read_.files.size());
  }

  /// The rest of the line is a name without control characters.
  [[nodiscard]] bool is_name() const {
    return std::ranges::none_of(line_, [](char c) { return static_cast<unsigned char>(c) < ' '; });
  }

  bool read_file() {
    read_.files.push_back(line_);
    return is_name();
  }

  bool read_coroutine() {
    await_section::coroutine one;
    constexpr int hexadecimal = 16;
    const bool sound = number(one.resume, hexadecimal) && number(one.destroy, hexadecimal) &&
                       number(one.cleanup, hexadecimal) && letter(one.made_by, "cg") && number(one.frame_bytes) &&
                       number(one.allocated_bytes) && number(one.index_offset) && number(one.index_bytes) &&
                       source(one.file, one.line) && !line_.empty() && is_name();
    if (!sound || one.frame_bytes > await_section::max_frame || one.allocated_bytes > await_section::max_frame) {
      return false;
    }
    if (one.index_bytes != 0 && !await_section::can_be_read(one.index_offset, one.index_bytes)) return false;
    one.name = line_;
    one.first_place = static_cast<std::uint32_t>(read_.all_places.size());
    read_.coroutines.push_back(one);
    return true;
  }

  bool read_place() {
    await_section::place one;
    if (read_.coroutines.empty() || read_.all_places.size() == std::numeric_limits<std::uint32_t>::max()) return false;
    if (!number(one.index) || !letter(one.kind, "bse") || !source(one.file, one.line) || !line_.empty()) return false;
    auto& of = read_.coroutines.back();
    if (of.places != 0 && read_.all_places.back().index >= one.index) return false;
    ++of.places;
    read_.all_places.push_back(one);
    return true;
  }

  std::string_view rest_;
  std::string_view line_;
  std::size_t number_of_line_ = 0;
  await_section read_;
};

inline std::expected<await_section, std::string> await_section::read(std::string_view text) {
  return await_section_reader(text).read();
}

}  // namespace tare::abi
