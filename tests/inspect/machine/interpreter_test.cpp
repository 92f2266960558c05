// The cases of interpreter.cases: instructions, what is known before them, and what is known after them. Add a line
// there to add a case.

#include "inspect/machine/interpreter.hpp"

#include "inspect/object/image_file.hpp"
#include "support/paths.hpp"
#include "support/temporary_folder.hpp"
#include "tests/inspect/machine/assembler.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <charconv>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace tare::inspect;

constexpr std::array<std::string_view, register_count> register_names{
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr std::array<std::string_view, condition_count> condition_names{
    "overflow", "no_overflow",  "below",       "not_below",  "equal", "not_equal", "not_above",   "above",
    "negative", "not_negative", "even_parity", "odd_parity", "less",  "not_less",  "not_greater", "greater"};

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!trimmed(text).empty()) {
    const auto end = text.find(separator);
    if (const auto part = trimmed(text.substr(0, end)); !part.empty()) parts.emplace_back(part);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return parts;
}

/// Names for pointers. What a register without a value holds is called after it: any_rbx.
class pointer_names {
 public:
  pointer_names() {
    const auto entry = machine_state::at_entry();
    for (std::size_t i = 0; i < register_names.size(); ++i) {
      names_[fmt::format("any_{}", register_names[i])] = entry.registers[i].base;
    }
    names_["frame"] = first_argument_origin;
    names_["stack"] = stack_origin;
  }

  origin of(const std::string& name) {
    const auto [known, added] = names_.try_emplace(name, next_);
    if (added) ++next_;
    return known->second;
  }

  [[nodiscard]] std::string text(origin base, std::int64_t offset) const {
    for (const auto& [name, its_base] : names_) {
      if (its_base == base && !(name == "any_rdi" || name == "any_rsp")) {
        return offset == 0 ? name : fmt::format("{}{:+}", name, offset);
      }
    }
    return "unknown";
  }

  [[nodiscard]] std::string text(const value& content) const {
    if (!content.is_constant()) return text(content.base, content.offset);
    std::set<std::uint64_t> numbers;
    for (const auto& each : content.constants) numbers.insert(each.value);
    if (numbers.size() == 1) return fmt::format("{}", *numbers.begin());
    return fmt::format("{{{}}}", fmt::join(numbers, " "));
  }

 private:
  std::map<std::string, origin> names_;
  origin next_ = last_fixed_origin + 1;
};

std::uint64_t number_in(const std::string& text) { return std::stoull(text, nullptr, 0); }

value value_in(std::string_view text, pointer_names& names) {
  if (text.starts_with('{')) {
    value several;
    for (const auto& each : split(text.substr(1, text.size() - 2), ' '))
      several.constants.push_back({number_in(each), 0});
    return several;
  }
  if (std::isdigit(static_cast<unsigned char>(text[0])) != 0)
    return value::of(constant{number_in(std::string(text)), 0});
  const auto sign = text.find_first_of("+-");
  const std::int64_t offset = sign == std::string_view::npos ? 0 : std::stoll(std::string(text.substr(sign)));
  return value::of(names.of(std::string(text.substr(0, sign))), offset);
}

/// "[frame+24]:8=5"
struct memory_item {
  value place;
  std::uint32_t bytes = 0;
  std::string content;
};

memory_item memory_in(std::string_view item, pointer_names& names) {
  const auto close = item.find(']');
  const auto equals = item.find('=');
  return {.place = value_in(item.substr(1, close - 1), names),
          .bytes = static_cast<std::uint32_t>(number_in(std::string(item.substr(close + 2, equals - close - 2)))),
          .content = std::string(item.substr(equals + 1))};
}

/// All that is known, as lines that can be compared.
std::map<std::string, std::string> describe(const machine_state& state, const pointer_names& names) {
  std::map<std::string, std::string> all;
  for (std::size_t i = 0; i < register_names.size(); ++i) {
    all[std::string(register_names[i])] = names.text(state.registers[i]);
  }
  for (const auto& [place, content] : state.memory) {
    all[fmt::format("[{}]:{}", names.text(place.first, place.second), content.bytes)] = names.text(content.content);
  }
  return all;
}

std::string describe(const memory_access& access, const pointer_names& names) {
  constexpr std::array<std::string_view, 3> kinds{"read", "write", "passed"};
  return fmt::format("{} {}{}:{}", kinds.at(static_cast<std::size_t>(access.what)), access.indexed ? "@" : "",
                     names.text(access.base, access.offset), access.bytes);
}

struct row {
  std::size_t line = 0;
  std::string before;
  std::string instructions;
  std::string after;
};

std::vector<row> read_rows() {
  std::vector<row> rows;
  std::ifstream file(support::path::machine_cases);
  std::string text;
  for (std::size_t line = 1; std::getline(file, text); ++line) {
    if (text.starts_with('#') || trimmed(text).empty()) continue;
    const auto first = text.find('|');
    const auto second = text.find('|', first + 1);
    if (second == std::string::npos) throw std::runtime_error(fmt::format("line {}: not three columns", line));
    rows.push_back({.line = line,
                    .before = text.substr(0, first),
                    .instructions = text.substr(first + 1, second - first - 1),
                    .after = text.substr(second + 1)});
  }
  return rows;
}

void PrintTo(const row& row, std::ostream* out) { *out << "line " << row.line; }

class interpreter_cases : public ::testing::TestWithParam<row> {};

/// What the last column says: the state, the conditions and the accesses.
struct expectation {
  std::map<std::string, std::string> state;
  std::vector<std::string> conditions;
  std::vector<std::string> accesses;
};

expectation expected_after(const row& tested, const machine_state& before, pointer_names& names) {
  expectation all{.state = describe(before, names), .conditions = {}, .accesses = {}};
  for (const auto& item : split(tested.after, ',')) {
    const auto equals = item.find('=');
    if (item.starts_with('[')) {
      const auto made = memory_in(item, names);
      const std::string key = fmt::format("[{}]:{}", names.text(made.place), made.bytes);
      all.state.erase(key);
      if (made.content != "none") {
        all.state[key] = made.content == "unknown" ? made.content : names.text(value_in(made.content, names));
      }
    } else if (equals == std::string::npos) {
      const bool sized = item.contains(':');
      all.accesses.push_back(sized ? item : item + ":0");
    } else if (std::ranges::find(register_names, item.substr(0, equals)) != register_names.end()) {
      const std::string content = item.substr(equals + 1);
      all.state[item.substr(0, equals)] = content == "unknown" ? content : names.text(value_in(content, names));
    } else {
      all.conditions.push_back(item);
    }
  }
  return all;
}

std::string condition_text(const flags& last, std::string_view name) {
  const auto found = std::ranges::find(condition_names, name);
  if (found == condition_names.end()) return fmt::format("{}: no condition", name);
  const auto decided = decide(last, condition_from(found - condition_names.begin()));
  return fmt::format("{}={}", name, !decided ? "unknown" : *decided ? "yes" : "no");
}

TEST_P(interpreter_cases, leave_what_is_expected) {
  const row& tested = GetParam();
  pointer_names names;
  machine_state state = machine_state::at_entry();
  for (const auto& item : split(tested.before, ',')) {
    const auto equals = item.find('=');
    if (item.starts_with('[')) {
      const auto each = memory_in(item, names);
      state.store(each.place, each.bytes, value_in(each.content, names));
    } else {
      const auto which = std::ranges::find(register_names, item.substr(0, equals));
      ASSERT_NE(which, register_names.end()) << item;
      state.registers[static_cast<std::size_t>(which - register_names.begin())] =
          value_in(item.substr(equals + 1), names);
    }
  }
  const expectation expected = expected_after(tested, state, names);

  const disassembler decoder;
  const auto& assembled = machine_test::empty_object();
  interpreter machine(*assembled.code, decoder);
  std::vector<std::string> accesses;
  const std::vector<std::uint8_t> code = machine_test::assemble(split(tested.instructions, ';'));
  ASSERT_FALSE(code.empty()) << tested.instructions;
  for (std::size_t at = 0; at < code.size();) {
    const auto insn = decoder.decode(std::span(code).subspan(at), 0x1000 + at);
    ASSERT_TRUE(insn) << tested.instructions;
    machine.step(state, *insn, [&](const memory_access& each) { accesses.push_back(describe(each, names)); });
    at += insn->size;
  }

  EXPECT_EQ(describe(state, names), expected.state);
  EXPECT_EQ(accesses, expected.accesses);
  for (const auto& each : expected.conditions)
    EXPECT_EQ(condition_text(state.last, each.substr(0, each.find('='))), each);
}

INSTANTIATE_TEST_SUITE_P(lines, interpreter_cases, ::testing::ValuesIn(read_rows()),
                         [](const auto& tested) { return fmt::format("line_{}", tested.param.line); });

}  // namespace
