#include "inspect/machine/disassembler.hpp"

#include "inspect/machine/x86_64.hpp"

#include <llvm/MC/MCAsmInfo.h>
#include <llvm/MC/MCContext.h>
#include <llvm/MC/MCDisassembler/MCDisassembler.h>
#include <llvm/MC/MCInst.h>
#include <llvm/MC/MCInstPrinter.h>
#include <llvm/MC/MCInstrDesc.h>
#include <llvm/MC/MCInstrInfo.h>
#include <llvm/MC/MCRegisterInfo.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/MCTargetOptions.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::inspect {
namespace {

struct register_description {
  std::int8_t number = no_register;
  std::uint8_t bytes = 0;
  bool high_byte = false;
};

register_description describe_register(std::string_view name) {
  if (name == "RIP" || name == "EIP") return {instruction_pointer, 8, false};
  static constexpr std::array<std::array<std::string_view, 4>, 8> old{{{"RAX", "EAX", "AX", "AL"},
                                                                       {"RCX", "ECX", "CX", "CL"},
                                                                       {"RDX", "EDX", "DX", "DL"},
                                                                       {"RBX", "EBX", "BX", "BL"},
                                                                       {"RSP", "ESP", "SP", "SPL"},
                                                                       {"RBP", "EBP", "BP", "BPL"},
                                                                       {"RSI", "ESI", "SI", "SIL"},
                                                                       {"RDI", "EDI", "DI", "DIL"}}};
  for (std::size_t i = 0; i < old.size(); ++i) {
    for (std::size_t width = 0; width < 4; ++width) {
      if (old[i][width] == name) {
        return {static_cast<std::int8_t>(i), static_cast<std::uint8_t>(8U >> width), false};
      }
    }
  }
  static constexpr std::array<std::string_view, 4> high{"AH", "CH", "DH", "BH"};
  for (std::size_t i = 0; i < high.size(); ++i) {
    if (high[i] == name) return {static_cast<std::int8_t>(i), 1, true};
  }
  if (name.size() < 2 || name[0] != 'R' || name[1] < '0' || name[1] > '9') return {};
  int number = name[1] - '0';
  std::size_t index = 2;
  if (index < name.size() && name[index] >= '0' && name[index] <= '9') number = number * 10 + (name[index++] - '0');
  if (number < 8 || number > 15) return {};
  const std::string_view suffix = name.substr(index);
  const std::uint8_t bytes = suffix.empty() ? 8 : suffix == "D" ? 4 : suffix == "W" ? 2 : suffix == "B" ? 1 : 0;
  if (bytes == 0) return {};
  return {static_cast<std::int8_t>(number), bytes, false};
}

/// "ADD64ri32" begins with "ADD" and goes on with a width: neither ADDPS nor ADDSUBPD.
bool is_integer_form(std::string_view name, std::string_view stem) {
  return name.starts_with(stem) && name.size() > stem.size() && name[stem.size()] >= '1' && name[stem.size()] <= '8';
}

/// How many bytes "STOSQ" stores: not MOVSSrm, which is of another kind. 0 for other instructions.
std::uint32_t string_width(std::string_view name, std::string_view stem) {
  if (!name.starts_with(stem) || name.size() != stem.size() + 1) return 0;
  switch (name.back()) {
    case 'B':
      return 1;
    case 'W':
      return 2;
    case 'L':
      return 4;
    case 'Q':
      return 8;
    default:
      return 0;
  }
}

bool has_repeat_prefix(std::span<const std::uint8_t> bytes) {
  static constexpr std::array<std::uint8_t, 11> prefixes{0xf2, 0xf3, 0x66, 0x67, 0xf0, 0x2e,
                                                         0x36, 0x3e, 0x26, 0x64, 0x65};
  const auto opcode = std::ranges::find_if(
      bytes, [](std::uint8_t each) { return std::ranges::find(prefixes, each) == prefixes.end(); });
  return std::any_of(bytes.begin(), opcode, [](std::uint8_t each) { return each == 0xf2 || each == 0xf3; });
}

operation classify(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, operation>, 19> stems{{
      {"MOV", operation::move},
      {"MOVZX", operation::move_zero_extended},
      {"MOVSX", operation::move_sign_extended},
      {"LEA", operation::load_address},
      {"ADD", operation::add},
      {"SUB", operation::subtract},
      {"AND", operation::bit_and},
      {"OR", operation::bit_or},
      {"XOR", operation::bit_xor},
      {"SHL", operation::shift_left},
      {"INC", operation::increment},
      {"DEC", operation::decrement},
      {"CMP", operation::compare},
      {"TEST", operation::test},
      {"BT", operation::bit_test},
      {"CMOV", operation::conditional_move},
      {"PUSH", operation::push},
      {"POP", operation::pop},
      {"CALL", operation::call},
  }};
  for (const auto& [stem, what] : stems) {
    if (is_integer_form(name, stem)) return what;
  }
  if (name == "CDQE") return operation::extend_rax;
  if (name == "SETCCr" || name == "SETCCm") return operation::set_condition;
  if (name.starts_with("JCC_")) return operation::conditional_jump;
  if (name.starts_with("JMP")) return operation::jump;
  if (name.starts_with("RET") || name.starts_with("IRET")) return operation::ret;
  if (name == "TRAP" || name.starts_with("UD1") || name.starts_with("UD2") || name == "HLT") return operation::trap;
  if (string_width(name, "STOS") != 0) return operation::string_store;
  if (string_width(name, "MOVS") != 0) return operation::string_move;
  for (const std::string_view stem : {"CMPS", "SCAS", "LODS"}) {
    if (string_width(name, stem) != 0) return operation::string_read;
  }
  if (name.starts_with("NOOP") || name.starts_with("ENDBR") || name == "PAUSE") return operation::nothing;
  return operation::other;
}

/// The width of a memory operand as Intel's syntax writes it: "mov dword ptr [rax], 1".
std::uint32_t written_width(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::uint32_t>, 9> widths{{{"xmmword ptr", 16},
                                                                                     {"ymmword ptr", 32},
                                                                                     {"zmmword ptr", 64},
                                                                                     {"qword ptr", 8},
                                                                                     {"dword ptr", 4},
                                                                                     {"tbyte ptr", 10},
                                                                                     {"xword ptr", 10},
                                                                                     {"byte ptr", 1},
                                                                                     {"word ptr", 2}}};
  for (const auto& [word, bytes] : widths) {
    if (text.contains(word)) return bytes;
  }
  return 0;
}

}  // namespace

struct disassembler::tables {
  std::unique_ptr<const llvm::MCRegisterInfo> registers;
  std::unique_ptr<const llvm::MCAsmInfo> syntax;
  std::unique_ptr<const llvm::MCInstrInfo> instructions;
  std::unique_ptr<const llvm::MCSubtargetInfo> features;
  std::unique_ptr<llvm::MCContext> context;
  std::unique_ptr<const llvm::MCDisassembler> decoder;
  std::unique_ptr<llvm::MCInstPrinter> printer;
  std::vector<register_description> register_descriptions;
  std::vector<operation> operations;
  std::vector<std::int16_t> widths;  ///< of the memory operand by opcode; -1 until it is known
};

disassembler::disassembler() : tables_(std::make_unique<tables>()) {
  tables& t = *tables_;
  const llvm::Target& target = x86_64_target();
  const llvm::Triple& triple = x86_64_triple();
  const llvm::MCTargetOptions options;
  t.registers.reset(target.createMCRegInfo(triple));
  t.syntax.reset(target.createMCAsmInfo(*t.registers, triple, options));
  t.instructions.reset(target.createMCInstrInfo());
  t.features = x86_64_features();
  t.context = std::make_unique<llvm::MCContext>(triple, t.syntax.get(), t.registers.get(), t.features.get());
  t.decoder.reset(target.createMCDisassembler(*t.features, *t.context));
  t.printer.reset(target.createMCInstPrinter(triple, 1, *t.syntax, *t.instructions, *t.registers));
  t.register_descriptions.resize(t.registers->getNumRegs());
  for (unsigned i = 1; i < t.registers->getNumRegs(); ++i) {
    t.register_descriptions[i] = describe_register(t.registers->getName(i));
  }
  t.operations.reserve(t.instructions->getNumOpcodes());
  for (unsigned i = 0; i < t.instructions->getNumOpcodes(); ++i) {
    const llvm::StringRef name = t.instructions->getName(i);
    t.operations.push_back(classify({name.data(), name.size()}));
  }
  t.widths.assign(t.instructions->getNumOpcodes(), -1);
}

disassembler::~disassembler() = default;

namespace {

/// The condition is an operand of its own.
void take_condition(instruction& insn) {
  if (insn.operand_count > 0 && insn.operands[insn.operand_count - 1].what == operand::kind::immediate) {
    insn.when = condition_from(insn.operands[--insn.operand_count].value);
  }
}

/// "add eax, 1" has a form in which the register is not named.
void add_accumulator(instruction& insn, std::string_view name) {
  if (insn.operand_count != 1 || insn.operands[0].what != operand::kind::immediate) return;
  const std::uint8_t width = name.contains("64i") ? 8 : name.contains("32i") ? 4 : name.contains("16i") ? 2 : 1;
  insn.operands[1] = insn.operands[0];
  insn.operands[0] = {.what = operand::kind::in_register, .number = rax, .bytes = width};
  insn.operand_count = 2;
  if (insn.what != operation::compare && insn.what != operation::test) insn.defines |= 1U;
}

void complete(instruction& insn, std::string_view name) {
  switch (insn.what) {
    case operation::set_condition:
    case operation::conditional_move:
    case operation::conditional_jump:
      return take_condition(insn);
    case operation::add:
    case operation::subtract:
    case operation::bit_and:
    case operation::bit_or:
    case operation::bit_xor:
    case operation::compare:
    case operation::test:
      return add_accumulator(insn, name);
    case operation::string_store:
      insn.memory.bytes = string_width(name, "STOS");
      return;
    case operation::string_move:
      insn.memory.bytes = string_width(name, "MOVS");
      return;
    default:
      return;
  }
}

}  // namespace

/// Translates LLVM's operands.
class disassembler::operand_reader {
 public:
  operand_reader(const tables& from, const llvm::MCInst& raw, instruction& instruction)
      : tables_(from), description_(from.instructions->get(raw.getOpcode())), raw_(raw), insn_(instruction) {}

  /// Whether one of them is in memory.
  bool read() {
    bool has_memory = false;
    for (unsigned i = 0; i < raw_.getNumOperands(); ++i) {
      const llvm::MCOperand& value = raw_.getOperand(i);
      if (value.isReg() && i < description_.getNumDefs()) define(value.getReg());
      if (description_.getOperandConstraint(i, llvm::MCOI::TIED_TO) != -1) continue;
      if (!has_memory && is_memory(i)) {
        has_memory = true;
        read_memory(i);
        i += 4;
      } else {
        read_value(value);
      }
    }
    for (const llvm::MCPhysReg implicit : description_.implicit_defs()) define(implicit);
    return has_memory;
  }

 private:
  [[nodiscard]] register_description described(llvm::MCRegister number) const {
    const auto& all = tables_.register_descriptions;
    return number.id() < all.size() ? all[number.id()] : register_description{};
  }

  void define(llvm::MCRegister number) {
    const auto found = described(number);
    if (found.number >= 0 && found.number < register_count) {
      insn_.defines = static_cast<std::uint16_t>(insn_.defines | (1U << static_cast<unsigned>(found.number)));
    }
  }

  void add(const operand& value) {
    if (insn_.operand_count < insn_.operands.size()) insn_.operands[insn_.operand_count++] = value;
  }

  /// lea only computes with its memory operand, so LLVM's tables do not call it one.
  [[nodiscard]] bool is_memory(unsigned i) const {
    return i < description_.getNumOperands() && i + 5 <= raw_.getNumOperands() &&
           (description_.operands()[i].OperandType == llvm::MCOI::OPERAND_MEMORY ||
            (insn_.what == operation::load_address && i == 1));
  }

  void read_memory(unsigned first) {
    insn_.memory.base = described(raw_.getOperand(first).getReg()).number;
    insn_.memory.scale = static_cast<std::uint8_t>(raw_.getOperand(first + 1).getImm());
    insn_.memory.index = described(raw_.getOperand(first + 2).getReg()).number;
    const llvm::MCOperand& displacement = raw_.getOperand(first + 3);
    if (displacement.isImm()) insn_.memory.displacement = displacement.getImm();
    insn_.memory.in_segment = raw_.getOperand(first + 4).getReg().isValid();
    add({.what = operand::kind::in_memory});
  }

  void read_value(const llvm::MCOperand& value) {
    if (value.isReg() && value.getReg().isValid()) {
      const auto found = described(value.getReg());
      add({.what = operand::kind::in_register,
           .number = found.number,
           .high_byte = found.high_byte,
           .general = found.number >= 0,
           .bytes = found.bytes});
    } else if (value.isImm()) {
      add({.what = operand::kind::immediate, .value = value.getImm()});
    }
  }

  const tables& tables_;
  const llvm::MCInstrDesc& description_;
  const llvm::MCInst& raw_;
  instruction& insn_;
};

std::uint32_t disassembler::memory_width(const llvm::MCInst& raw, std::uint64_t address) const {
  std::int16_t& width = tables_->widths[raw.getOpcode()];
  if (width < 0) {
    std::string text;
    llvm::raw_string_ostream out(text);
    tables_->printer->printInst(&raw, address, "", *tables_->features, out);
    width = static_cast<std::int16_t>(written_width(text));
  }
  return static_cast<std::uint32_t>(width);
}

std::optional<instruction> disassembler::decode(std::span<const std::uint8_t> bytes, std::uint64_t address) const {
  const tables& t = *tables_;
  llvm::MCInst raw;
  std::uint64_t size = 0;
  if (t.decoder->getInstruction(raw, size, {bytes.data(), bytes.size()}, address, llvm::nulls()) !=
          llvm::MCDisassembler::Success ||
      size == 0 || size > 15) {
    return std::nullopt;
  }
  const llvm::MCInstrDesc& description = t.instructions->get(raw.getOpcode());
  instruction insn;
  insn.address = address;
  insn.size = static_cast<std::uint8_t>(size);
  insn.what = t.operations[raw.getOpcode()];
  insn.loads = description.mayLoad();
  insn.stores = description.mayStore();
  insn.repeats = has_repeat_prefix(bytes.first(size));
  if (operand_reader(t, raw, insn).read()) {
    insn.memory.bytes = memory_width(raw, address);
    for (auto& value : insn.operands) {
      if (value.what == operand::kind::in_memory) value.bytes = static_cast<std::uint8_t>(insn.memory.bytes);
    }
  }
  const llvm::StringRef name = t.instructions->getName(raw.getOpcode());
  complete(insn, {name.data(), name.size()});
  return insn;
}

}  // namespace tare::inspect
