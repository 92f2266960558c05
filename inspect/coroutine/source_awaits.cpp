#include "inspect/coroutine/source_awaits.hpp"

#include "base/text_file.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <system_error>
#include <utility>

namespace tare::inspect {
namespace {

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// Scans C++ source for brackets, words and lines.
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

  /// Skips spaces, comments and literals. Returns whether there were any.
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
    // After a digit it is a digit separator.
    if (here() == '"' || (here() == '\'' && !is_word(previous()))) {
      skip_quoted(here());
      return true;
    }
    return false;
  }

  std::string_view word() {
    const std::size_t begin = at_;
    while (is_word(here())) {
      if (here() == 'R' && after() == '"') break;
      step();
    }
    last_word_ = text_.substr(begin, at_ - begin);
    return last_word_;
  }
  /// The last word; it is what stands before if before() is of a word.
  [[nodiscard]] std::string_view last_word() const noexcept { return last_word_; }

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
  std::string_view last_word_;
  char before_ = '\0';
};

using line_list = std::vector<std::uint32_t>;

class body_reader {
 public:
  body_reader(std::string_view text, std::uint32_t begins, std::string_view name)
      : code_(text), begins_(begins), name_(name.starts_with("operator") ? "operator" : name) {}

  line_list read() {
    while (!code_.at_end() && code_.line() < begins_) step();
    while (!code_.at_end() && code_.line() == begins_) {
      if (name_.empty() && is_lambda_introducer()) {
        read_lambda();
      } else if (!name_.empty() && is_word(code_.here())) {
        if (code_.word() == name_ && read_function()) break;
      } else {
        step();
      }
    }
    // Several functions on one line cannot be distinguished.
    const bool same = std::ranges::all_of(found_, [&](const line_list& list) { return list == found_.front(); });
    return found_.empty() || !same ? line_list() : found_.front();
  }

 private:
  void step() {
    if (code_.skip_what_is_no_code()) return;
    if (!is_word(code_.here()) || code_.word().empty()) code_.step();
  }

  [[nodiscard]] bool is_lambda_introducer() const {
    if (code_.here() != '[' || code_.after() == '[') return false;
    const char last = code_.before();
    if (!is_word(last)) return last != ')' && last != ']' && last != '[';
    static constexpr std::array<std::string_view, 6> before_expressions{"return",   "co_return", "co_await",
                                                                        "co_yield", "throw",     "case"};
    return std::ranges::find(before_expressions, code_.last_word()) != before_expressions.end();
  }

  /// From behind the name; false if it only stands there, as in a call or a declaration.
  bool read_function() {
    while (code_.skip_what_is_no_code()) {
    }
    if (code_.here() != '(' && code_.here() != '<' && name_ != "operator") return false;
    line_list lines;
    if (!skip_to_body() || !read_body(lines)) return false;
    found_.push_back(std::move(lines));
    return true;
  }

  /// From '['. Those that begin on the line and wait are what is looked for, be they in another one.
  bool read_lambda() {
    const bool begins_here = code_.line() == begins_;
    line_list lines;
    if (!skip_to_body()) return true;
    if (!read_body(lines)) return false;
    if (name_.empty() && begins_here && !lines.empty()) found_.push_back(std::move(lines));
    return true;
  }

  /// To the '{' of the body, past brackets and the braces of "requires requires { ... }"; false if it has none.
  bool skip_to_body() {
    int depth = 0;
    bool in_requirement = false;
    while (!code_.at_end()) {
      if (code_.skip_what_is_no_code()) continue;
      const char c = code_.here();
      if (is_word(c)) {
        const char before = code_.before();
        const bool again = is_word(before) && code_.last_word() == "requires";
        const auto word = code_.word();
        if (word.empty()) code_.step();
        if (depth == 0 && word == "requires" && (again || before == '&' || before == '|')) in_requirement = true;
        continue;
      }
      if (depth == 0 && c == '{') {
        if (!in_requirement) return true;
        line_list ignored;
        if (!read_body(ignored)) return false;
        in_requirement = false;
        continue;
      }
      if (depth == 0 && (c == ';' || c == '}')) return false;
      if (c == '[' || c == '(' || c == '{') ++depth;
      if (c == ']' || c == ')' || c == '}') --depth;
      if (depth < 0) return false;
      code_.step();
    }
    return false;
  }

  /// From behind "struct" to the '{' of a class's members; false if it is another use of the word.
  bool skip_to_members() {
    bool has_name = false;
    while (!code_.at_end()) {
      if (code_.skip_what_is_no_code()) continue;
      const char c = code_.here();
      if (c == '{') return true;
      if (c == ':' && code_.after() != ':') return skip_to_body();
      if (!is_word(c)) return false;
      const auto word = code_.word();
      if (word.empty() || (has_name && word != "final")) return false;
      has_name = true;
    }
    return false;
  }

  /// From '{' to behind its '}'.
  bool read_body(line_list& lines) {
    int depth = 0;
    while (!code_.at_end()) {
      if (code_.skip_what_is_no_code()) continue;
      if (is_lambda_introducer()) {
        if (!read_lambda()) return false;
        continue;
      }
      const char c = code_.here();
      if (is_word(c)) {
        const std::uint32_t line = code_.line();
        const auto word = code_.word();
        if (word.empty()) code_.step();
        if (word == "co_await" || word == "co_yield") lines.push_back(line);
        // The members of a local class have their own.
        line_list of_members;
        if ((word == "struct" || word == "class" || word == "union") && skip_to_members() && !read_body(of_members)) {
          return false;
        }
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
  std::string_view name_;
  std::vector<line_list> found_;
};

}  // namespace

std::vector<std::uint32_t> await_lines(std::string_view source, std::uint32_t begins, std::string_view name) {
  return body_reader(source, begins, name).read();
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
                                               std::uint32_t begins, std::string_view name) {
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
  const auto text = base::read_text_file(source);
  return text ? await_lines(*text, begins, name) : std::vector<std::uint32_t>();
}

}  // namespace tare::inspect
