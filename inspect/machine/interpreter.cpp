#include "inspect/machine/interpreter.hpp"

#include "inspect/machine/execution.hpp"

namespace tare::inspect {

void interpreter::step(machine_state& state, const instruction& insn, const access_sink& report) {
  execution(code_, changed_, tables_, state, insn, report).run();
}

void interpreter::pass_arguments(machine_state& state, const instruction& insn, std::string_view target,
                                 const access_sink& report) {
  execution(code_, changed_, tables_, state, insn, report).pass_arguments(target);
}

}  // namespace tare::inspect
