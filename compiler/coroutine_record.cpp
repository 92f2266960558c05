#include "compiler/coroutine_record.hpp"

#include <llvm/ADT/MapVector.h>
#include <llvm/IR/DataLayout.h>
#include <llvm/IR/DebugInfoMetadata.h>
#include <llvm/IR/DebugProgramInstruction.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/InstIterator.h>

#include <algorithm>
#include <map>
#include <utility>

namespace tare::compiler {
namespace {

/// If the folder is relative, -ffile-prefix-map replaced its beginning, and that of each name that was absolute: such
/// a name, which begins with the same folder, is not relative to the folder.
std::string path_of(const llvm::DIFile& file) {
  const llvm::StringRef name = file.getFilename();
  const llvm::StringRef folder = file.getDirectory();
  const bool is_replaced = !folder.starts_with("/") && name.split('/').first == folder.split('/').first;
  if (name.starts_with("/") || folder.empty() || is_replaced) return name.str();
  return (folder + "/" + name).str();
}

/// The coroutine's own variables; variables of inlined functions do not belong to it.
bool is_own(const llvm::DbgVariableRecord& record) {
  const auto& location = record.getDebugLoc();
  return location && location.getInlinedAt() == nullptr && !record.getVariable()->isArtificial() &&
         !record.getVariable()->getName().empty();
}

const llvm::CoroBeginInst* begin_of(llvm::Function& function) {
  for (const auto& each : llvm::instructions(function)) {
    if (const auto* begin = llvm::dyn_cast<llvm::CoroBeginInst>(&each)) return begin;
  }
  return nullptr;
}

/// Skips nodes with a single incoming value, which CoroSplit inserts.
const llvm::Value& through_single_nodes(const llvm::Value& value) {
  const auto* at = &value;
  for (const auto* node = llvm::dyn_cast<llvm::PHINode>(at); node != nullptr && node->getNumIncomingValues() == 1;
       node = llvm::dyn_cast<llvm::PHINode>(at)) {
    at = node->getIncomingValue(0);
  }
  return *at;
}

/// The number that the resume function of a split coroutine reads first.
std::optional<std::uint64_t> index_offset_in(llvm::Function& resume) {
  const auto& layout = resume.getDataLayout();
  for (const auto& each : llvm::instructions(resume)) {
    const auto* ways = llvm::dyn_cast<llvm::SwitchInst>(&each);
    const auto* index = ways == nullptr ? nullptr : llvm::dyn_cast<llvm::LoadInst>(ways->getCondition());
    if (index == nullptr) continue;
    llvm::APInt offset(64, 0);
    const auto* base = index->getPointerOperand()->stripAndAccumulateConstantOffsets(layout, offset, true);
    if (base == resume.getArg(0)) return offset.getZExtValue();
  }
  return std::nullopt;
}

}  // namespace

/// A split coroutine, to the extent that it is still one function.
class coroutine_record::frame_reader {
 public:
  explicit frame_reader(llvm::Function& function) : layout_(function.getDataLayout()), tree_(function) {
    begin_ = begin_of(function);
    const auto* id = begin_ == nullptr ? nullptr : llvm::dyn_cast<llvm::CoroIdInst>(begin_->getId());
    const auto* parts = id == nullptr ? nullptr : id->getInfo().Resumers;
    if (parts == nullptr || parts->getNumOperands() == 0) return;
    auto* resume = llvm::dyn_cast<llvm::Function>(parts->getOperand(0)->stripPointerCasts());
    if (resume == nullptr || resume->arg_empty()) return;
    frame_bytes_ = resume->getParamDereferenceableBytes(0);
    alignment_ = resume->getParamAlign(0).valueOrOne().value();
    index_offset_ = index_offset_in(*resume);
  }

  [[nodiscard]] bool is_split() const { return frame_bytes_ != 0; }
  [[nodiscard]] std::uint64_t frame_bytes() const { return frame_bytes_; }
  [[nodiscard]] std::uint64_t alignment() const { return alignment_; }

  /// The offset in the frame that a pointer points to.
  [[nodiscard]] std::optional<std::uint64_t> offset_of(const llvm::Value& pointer) const {
    llvm::APInt offset(64, 0);
    if (pointer.stripAndAccumulateConstantOffsets(layout_, offset, true) != begin_) return std::nullopt;
    const std::uint64_t address = offset.getZExtValue();
    return address < frame_bytes_ ? std::optional(address) : std::nullopt;
  }

  /// The number that is stored before this suspension: by the last store on every path to it. A coroutine with only one
  /// suspension needs no numbers.
  [[nodiscard]] std::optional<std::uint64_t> index_before(const llvm::Instruction& suspended) const {
    if (!index_offset_) return 0;
    const auto* node = tree_.getNode(suspended.getParent());
    for (auto from = suspended.getReverseIterator(); node != nullptr;) {
      for (auto end = node->getBlock()->rend(); from != end; ++from) {
        const auto* store = llvm::dyn_cast<llvm::StoreInst>(&*from);
        if (store == nullptr || offset_of(*store->getPointerOperand()) != index_offset_) continue;
        const auto* index = llvm::dyn_cast<llvm::ConstantInt>(store->getValueOperand());
        return index == nullptr ? std::nullopt : std::optional(index->getZExtValue());
      }
      node = node->getIDom();
      if (node != nullptr) from = node->getBlock()->rbegin();
    }
    return std::nullopt;
  }

  /// The offset in the frame where a value is stored across a suspension.
  [[nodiscard]] std::vector<std::uint64_t> places_of(const llvm::Value& value) const {
    std::vector<std::uint64_t> places;
    for (const auto* user : value.users()) {
      const auto* store = llvm::dyn_cast<llvm::StoreInst>(user);
      if (store == nullptr || store->getValueOperand() != &value) continue;
      const auto found = offset_of(*store->getPointerOperand());
      if (found && std::ranges::find(places, *found) == places.end()) places.push_back(*found);
    }
    return places;
  }

  [[nodiscard]] std::uint64_t bytes_of(const llvm::Value& value) const {
    return layout_.getTypeStoreSize(value.getType()).getKnownMinValue();
  }

 private:
  const llvm::DataLayout& layout_;
  llvm::DominatorTree tree_;
  const llvm::CoroBeginInst* begin_ = nullptr;
  std::uint64_t frame_bytes_ = 0;
  std::uint64_t alignment_ = 1;
  std::optional<std::uint64_t> index_offset_;
};

coroutine_record::coroutine_record(llvm::Function& function) : function_(&function) {
  find_objects(function);
  find_suspensions(function);
  find_names(function);
  states_ = states_at(function, allocas_, suspends_);
  allocas_.clear();
  suspends_.clear();
}

void coroutine_record::find_objects(llvm::Function& function) {
  const auto* begin = begin_of(function);
  const auto* id = begin == nullptr ? nullptr : llvm::dyn_cast<llvm::CoroIdInst>(begin->getId());
  for (auto& each : llvm::instructions(function)) {
    auto* place = llvm::dyn_cast<llvm::AllocaInst>(&each);
    if (place == nullptr || (id != nullptr && place == id->getPromise())) continue;
    const auto bytes = place->getAllocationSize(function.getDataLayout());
    if (!bytes || bytes->isScalable() || bytes->isZero()) continue;
    object found{.bytes = bytes->getFixedValue(), .names = {}, .uses = {}};
    for (const auto& use : place->uses()) found.uses.push_back({.by = use.getUser(), .operand = use.getOperandNo()});
    allocas_.push_back(place);
    objects_.push_back(std::move(found));
  }
}

void coroutine_record::find_suspensions(llvm::Function& function) {
  const auto* self = function.getSubprogram();
  for (auto& each : llvm::instructions(function)) {
    auto* suspend = llvm::dyn_cast<llvm::CoroSuspendInst>(&each);
    if (suspend == nullptr) continue;
    suspension found{.file = {}, .line = 0, .final = suspend->isFinal(), .result_used_by = {}};
    if (const auto* where = suspend->getDebugLoc().get()) {
      found.line = where->getLine();
      if (self != nullptr && where->getFile() != self->getFile()) found.file = path_of(*where->getFile());
    }
    if (!suspend->use_empty()) found.result_used_by = *suspend->user_begin();
    suspends_.push_back(suspend);
    suspensions_.push_back(std::move(found));
  }
}

void coroutine_record::find_names(llvm::Function& function) {
  llvm::MapVector<llvm::Value*, std::vector<name>> names;
  for (auto& each : llvm::instructions(function)) {
    for (llvm::DbgVariableRecord& record : llvm::filterDbgVars(each.getDbgRecordRange())) {
      if (!is_own(record)) continue;
      const auto* variable = record.getVariable();
      const auto add = [&](llvm::Value* of_this) {
        if (of_this == nullptr) return;
        auto& all = names[of_this];
        name found{.text = variable->getName().str(), .line = variable->getLine()};
        if (std::ranges::find(all, found) == all.end()) all.push_back(std::move(found));
      };
      if (record.isDbgAssign() && !record.isKillAddress()) add(record.getAddress());
      if (record.getNumVariableLocationOps() != 1) continue;
      // A value computed from another is not in the frame, and a value that is an address is not stored at that
      // address.
      auto* location = record.getVariableLocationOp(0);
      const auto* expression = record.getExpression();
      const bool is_address = record.isDbgDeclare() || expression->startsWithDeref();
      const bool is_itself = expression->getNumElements() == 0 || expression->isFragment();
      if (llvm::isa_and_nonnull<llvm::AllocaInst>(location) ? is_address : is_itself) add(location);
    }
  }
  for (auto& [what, all] : names) {
    if (const auto place = llvm::find(allocas_, what); place != allocas_.end()) {
      objects_[static_cast<std::size_t>(place - allocas_.begin())].names = std::move(all);
    } else if (llvm::isa<llvm::Instruction, llvm::Argument>(what)) {
      values_.push_back({.what = what, .names = std::move(all)});
    }
  }
}

/// The last suspension has the highest number, whether stored or not.
std::vector<std::optional<std::uint64_t>> coroutine_record::indices(const frame_reader& frame) const {
  std::vector<std::optional<std::uint64_t>> all(suspensions_.size());
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto* user =
        llvm::dyn_cast_or_null<llvm::Instruction>(static_cast<llvm::Value*>(suspensions_[i].result_used_by));
    if (suspensions_[i].final || user == nullptr) continue;
    const auto index = frame.index_before(*user);
    if (index) next = std::max(next, *index + 1);
    all[i] = index;
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (suspensions_[i].final) all[i] = next;
  }
  return all;
}

std::optional<llvm::json::Value> coroutine_record::finish() {
  auto* function = llvm::dyn_cast_or_null<llvm::Function>(static_cast<llvm::Value*>(function_));
  if (function == nullptr) return std::nullopt;
  const frame_reader frame(*function);
  if (!frame.is_split()) return std::nullopt;
  const auto names_json = [](const std::vector<name>& names) {
    llvm::json::Array all;
    for (const auto& item : names) all.push_back(llvm::json::Array{llvm::json::fixUTF8(item.text), item.line});
    return all;
  };

  // Suspensions with an unknown number are omitted, with their column of the states.
  std::vector<std::size_t> known;
  llvm::json::Array awaits;
  const auto numbers = indices(frame);
  for (std::size_t i = 0; i < suspensions_.size(); ++i) {
    const auto& item = suspensions_[i];
    const auto index = numbers[i];
    if (!index) continue;
    known.push_back(i);
    llvm::json::Object await{{"index", *index}, {"line", item.line}};
    if (item.final) await["final"] = true;
    if (!item.file.empty()) await["file"] = llvm::json::fixUTF8(item.file);
    awaits.push_back(std::move(await));
  }

  llvm::json::Array objects;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> placed;
  for (std::size_t i = 0; i < objects_.size(); ++i) {
    std::optional<std::uint64_t> at;
    for (const auto& use : objects_[i].uses) {
      const auto* user = llvm::dyn_cast_or_null<llvm::User>(static_cast<llvm::Value*>(use.by));
      if (user == nullptr || use.operand >= user->getNumOperands()) continue;
      const llvm::Value& pointer = through_single_nodes(*user->getOperand(use.operand));
      if (llvm::isa<llvm::AllocaInst>(pointer)) continue;  // It is not in the frame, at least not for this use.
      const auto offset = frame.offset_of(pointer);
      if (!offset || (at && *at != *offset)) return std::nullopt;
      at = offset;
    }
    if (!at) continue;
    placed.emplace_back(*at, *at + objects_[i].bytes);
    std::string states;
    for (const auto suspension : known) states += static_cast<char>(states_[suspension][i]);
    objects.push_back(llvm::json::Object{{"at", *at},
                                         {"bytes", objects_[i].bytes},
                                         {"names", names_json(objects_[i].names)},
                                         {"states", std::move(states)}});
  }

  // Values that were stored in the frame across a suspension, by offset.
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::vector<name>> spilled;
  for (const auto& item : values_) {
    const llvm::Value* what = item.what;
    if (what == nullptr) continue;
    for (const auto at : frame.places_of(*what)) {
      if (std::ranges::any_of(placed, [&](const auto& other) { return at >= other.first && at < other.second; })) {
        continue;  // That is an assignment to an object.
      }
      auto& names = spilled[{at, frame.bytes_of(*what)}];
      for (const auto& each : item.names) {
        if (std::ranges::find(names, each) == names.end()) names.push_back(each);
      }
    }
  }
  llvm::json::Array values;
  for (const auto& [place, names] : spilled) {
    values.push_back(llvm::json::Object{{"at", place.first}, {"bytes", place.second}, {"names", names_json(names)}});
  }

  const auto* self = function->getSubprogram();
  return llvm::json::Object{{"coroutine", llvm::json::fixUTF8(function->getName())},
                            {"line", self == nullptr ? 0 : self->getLine()},
                            {"frame", frame.frame_bytes()},
                            {"align", frame.alignment()},
                            {"awaits", std::move(awaits)},
                            {"objects", std::move(objects)},
                            {"values", std::move(values)}};
}

}  // namespace tare::compiler
