#include "compiler/object_events.hpp"

#include <llvm/ADT/SmallPtrSet.h>
#include <llvm/IR/DataLayout.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Operator.h>

#include <optional>

namespace tare::compiler {
namespace {

using event = object_event::kind;
using events = llvm::SmallVector<event, 2>;

/// A pointer that is computed from another and points into the same object.
bool is_derived(const llvm::User& user) {
  return llvm::isa<llvm::GEPOperator, llvm::BitCastOperator, llvm::AddrSpaceCastOperator, llvm::PHINode,
                   llvm::SelectInst, llvm::FreezeInst>(user);
}

class use_reader {
 public:
  use_reader(const llvm::AllocaInst& object, const llvm::DataLayout& layout) : object_(object), layout_(layout) {
    if (const auto bytes = object.getAllocationSize(layout); bytes && bytes->isFixed()) bytes_ = bytes->getFixedValue();
  }

  /// What an instruction does to the object through this use of a pointer to it.
  [[nodiscard]] events read(const llvm::Use& use) const {
    const auto& user = *llvm::cast<llvm::Instruction>(use.getUser());
    if (llvm::isa<llvm::LoadInst>(user)) return {event::read};
    if (llvm::isa<llvm::ICmpInst>(user)) return {};
    if (const auto* store = llvm::dyn_cast<llvm::StoreInst>(&user)) {
      // It may be read immediately through the copy of the address, which is not visible here.
      if (use.getOperandNo() != llvm::StoreInst::getPointerOperandIndex()) return {event::leak, event::read};
      const auto bytes = layout_.getTypeStoreSize(store->getValueOperand()->getType());
      return {covers_all(use, bytes.isFixed() ? std::optional(bytes.getFixedValue()) : std::nullopt) ? event::overwrite
                                                                                                     : event::write};
    }
    if (const auto* call = llvm::dyn_cast<llvm::CallBase>(&user)) return read_call(*call, use);
    return {event::leak, event::read};
  }

 private:
  [[nodiscard]] events read_call(const llvm::CallBase& call, const llvm::Use& use) const {
    if (const auto* intrinsic = llvm::dyn_cast<llvm::IntrinsicInst>(&call)) {
      if (intrinsic->getIntrinsicID() == llvm::Intrinsic::lifetime_start) return {event::begin};
      if (intrinsic->getIntrinsicID() == llvm::Intrinsic::lifetime_end) return {event::end};
      if (llvm::isa<llvm::AssumeInst>(intrinsic)) return {};
      if (const auto* memory = llvm::dyn_cast<llvm::MemIntrinsic>(intrinsic)) return read_memory(*memory, use);
    }
    if (!call.isArgOperand(&use)) return {event::leak, event::read};
    const unsigned argument = call.getArgOperandNo(&use);
    if (!call.doesNotCapture(argument)) return {event::leak, event::read};
    events all;
    if (!call.onlyReadsMemory(argument)) all.push_back(event::write);
    if (!call.onlyWritesMemory(argument)) all.push_back(event::read);
    return all;
  }

  [[nodiscard]] events read_memory(const llvm::MemIntrinsic& call, const llvm::Use& use) const {
    constexpr unsigned destination = 0;
    if (call.getArgOperandNo(&use) != destination) return {event::read};
    const auto* length = llvm::dyn_cast<llvm::ConstantInt>(call.getLength());
    const bool all = covers_all(use, length == nullptr ? std::nullopt : std::optional(length->getZExtValue()));
    return {all ? event::overwrite : event::write};
  }

  [[nodiscard]] bool covers_all(const llvm::Use& pointer, std::optional<std::uint64_t> bytes) const {
    return pointer.get() == &object_ && bytes && bytes_ && *bytes >= *bytes_;
  }

  const llvm::AllocaInst& object_;
  const llvm::DataLayout& layout_;
  std::optional<std::uint64_t> bytes_;
};

}  // namespace

object_events::object_events(const llvm::Function& function, llvm::ArrayRef<llvm::AllocaInst*> objects)
    : layout_(function.getDataLayout()) {
  for (unsigned i = 0; i < objects.size(); ++i) follow(*objects[i], i);
}

void object_events::follow(const llvm::AllocaInst& object, unsigned number) {
  const use_reader reader(object, layout_);
  llvm::SmallPtrSet<const llvm::Value*, 16> seen{&object};
  llvm::SmallVector<const llvm::Value*, 16> waiting{&object};
  while (!waiting.empty()) {
    for (const llvm::Use& use : waiting.pop_back_val()->uses()) {
      const auto* user = llvm::dyn_cast<llvm::Instruction>(use.getUser());
      if (user == nullptr) continue;  // Only instructions can use values of a function.
      if (is_derived(*user)) {
        if (seen.insert(user).second) waiting.push_back(user);
        continue;
      }
      for (const auto what : reader.read(use)) events_[user].push_back({.what = what, .object = number});
    }
  }
}

llvm::ArrayRef<object_event> object_events::at(const llvm::Instruction& instruction) const {
  const auto found = events_.find(&instruction);
  return found == events_.end() ? llvm::ArrayRef<object_event>() : llvm::ArrayRef<object_event>(found->second);
}

}  // namespace tare::compiler
