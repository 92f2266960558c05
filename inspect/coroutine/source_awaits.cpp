#include "inspect/coroutine/source_awaits.hpp"

#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

namespace tare::inspect {
namespace {

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// Goes through C++ source, as far as brackets, words and lines need it.
class scanner {
 public:
  explicit scanner(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() const noexcept { return at_ >= text_.size(); }
  [[nodiscard]] char here() const noexcept { return at_end() ? '\0' : text_[at_]; }
  [[nodiscard]] char after() const noexcept { return at_ + 1 < text_.size() ? text_[at_ + 1] : '\0'; }
  [[nodiscard]] std::uint32_t line() const noexcept { return line_; }
  [[nodiscard]] char before() const noexcept { return before_; }  ///< the last character that was code

  void step() noexcept {
    if (at_end()) return;
    if (text_[at_] == '\n') ++line_;
    if (!is_space(text_[at_])) before_ = text_[at_];
    ++at_;
  }

  /// Passes over spaces, comments and literals. Says whether there was one.
  bool skip_what_is_no_code() {
    if (is_space(here())) {
      step();
      return true;
    }
    if (here() == '/' && after() == '/') {
      while (!at_end() && here() != '\n') silent_step();
      return true;
    }
    if (here() == '/' && after() == '*') {
      skip_past("*/");
      return true;
    }
    if (here() == 'R' && after() == '"') {
      skip_raw();
      return true;
    }
    // Behind a digit it separates thousands.
    if (here() == '"' || (here() == '\'' && !is_word(previous()))) {
      skip_quoted(here());
      return true;
    }
    return false;
  }

  std::string_view word() {
    const std::size_t begin = at_;
    while (is_word(here())) {
      if (here() == '\'' || (here() == 'R' && after() == '"')) break;
      step();
    }
    return text_.substr(begin, at_ - begin);
  }

 private:
  [[nodiscard]] char previous() const noexcept { return at_ == 0 ? '\0' : text_[at_ - 1]; }

  void silent_step() noexcept {
    const char kept = before_;
    step();
    before_ = kept;
  }

  void skip_past(std::string_view end) {
    const auto found = text_.find(end, at_ + 2);
    const std::size_t to = found == std::string_view::npos ? text_.size() : found + end.size();
    while (at_ < to) silent_step();
  }

  void skip_raw() {
    const std::size_t open = text_.find('(', at_);
    if (open == std::string_view::npos || open - at_ > 20) {
      step();
      step();
      return;
    }
    const std::string end = ")" + std::string(text_.substr(at_ + 2, open - at_ - 2)) + "\"";
    skip_past(end);
    before_ = '"';
  }

  void skip_quoted(char quote) {
    step();
    while (!at_end() && here() != quote && here() != '\n') {
      if (here() == '\\') step();
      step();
    }
    step();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  char before_ = '\0';
};

class body_reader {
 public:
  body_reader(std::string_view text, std::uint32_t begins, bool is_lambda)
      : code_(text), begins_(begins), is_lambda_(is_lambda) {}

  std::vector<std::uint32_t> read() {
    while (!code_.at_end() && (code_.line() < begins_ || !is_at_beginning())) {
      if (!code_.skip_what_is_no_code()) step_over_word();
    }
    if (is_lambda_ && !skip_to_lambda_body()) return {};
    while (!code_.at_end() && code_.here() != '{') {
      // A declaration without a body.
      if (code_.here() == ';') return {};
      if (!code_.skip_what_is_no_code()) step_over_word();
    }
    std::vector<std::uint32_t> lines;
    return read_body(&lines) ? lines : std::vector<std::uint32_t>();
  }

 private:
  [[nodiscard]] bool is_at_beginning() const { return !is_lambda_ || is_lambda_introducer(); }

  void step_over_word() {
    if (is_word(code_.here())) {
      (void)code_.word();
    } else {
      code_.step();
    }
  }

  [[nodiscard]] bool is_lambda_introducer() const {
    const char last = code_.before();
    return code_.here() == '[' && code_.after() != '[' && !is_word(last) && last != ')' && last != ']' && last != '[';
  }

  /// From '[' to the '{' of the lambda's body; false if it has none.
  bool skip_to_lambda_body() {
    int depth = 0;
    while (!code_.at_end()) {
      if (code_.skip_what_is_no_code()) continue;
      const char c = code_.here();
      if (depth == 0 && c == '{') return true;
      if (depth == 0 && (c == ';' || c == '}')) return false;
      if (c == '[' || c == '(' || (depth > 0 && c == '{')) ++depth;
      if (c == ']' || c == ')' || (depth > 0 && c == '}')) --depth;
      if (depth < 0) return false;
      step_over_word();
    }
    return false;
  }

  /// From '{' to behind its '}'.
  bool read_body(std::vector<std::uint32_t>* into) {
    int depth = 0;
    while (!code_.at_end()) {
      if (code_.skip_what_is_no_code()) continue;
      if (is_lambda_introducer()) {
        if (skip_to_lambda_body() && !read_body(nullptr)) return false;
        continue;
      }
      const char c = code_.here();
      if (is_word(c)) {
        const std::uint32_t line = code_.line();
        const auto word = code_.word();
        if (word.empty()) code_.step();
        if (into != nullptr && (word == "co_await" || word == "co_yield")) into->push_back(line);
        continue;
      }
      code_.step();
      if (c == '{') ++depth;
      if (c == '}' && --depth == 0) return true;
    }
    return false;
  }

  scanner code_;
  std::uint32_t begins_;
  bool is_lambda_;
};

}  // namespace

std::vector<std::uint32_t> await_lines(std::string_view source, std::uint32_t begins, bool is_lambda) {
  return body_reader(source, begins, is_lambda).read();
}

std::filesystem::path find_source(const std::filesystem::path& named, const std::filesystem::path& binary) {
  namespace fs = std::filesystem;
  std::error_code failed;
  if (named.is_absolute()) return named;
  for (fs::path folder = fs::absolute(binary, failed).parent_path(); !folder.empty(); folder = folder.parent_path()) {
    if (fs::is_regular_file(folder / named, failed)) return folder / named;
    if (folder == folder.parent_path()) break;
  }
  return named;
}

std::vector<std::uint32_t> await_lines_of_file(const std::filesystem::path& named, const std::filesystem::path& binary,
                                               std::uint32_t begins, bool is_lambda) {
  namespace fs = std::filesystem;
  constexpr std::uintmax_t largest = 8U << 20U;
  std::error_code failed;
  const fs::path source = find_source(named, binary);
  if (begins == 0 || !fs::is_regular_file(source, failed)) return {};
  const auto written = fs::last_write_time(source, failed);
  if (failed) return {};
  const auto built = fs::last_write_time(binary, failed);
  if (failed || written > built) return {};
  const auto size = fs::file_size(source, failed);
  if (failed || size > largest) return {};
  std::ifstream in(source, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  return await_lines(text, begins, is_lambda);
}

}  // namespace tare::inspect
