// The clang plugin that records what the coroutines of a file keep across each await: tare-frames-pass.so.
//
//   clang++ -g -fpass-plugin=tare-frames-pass.so ...
//
// It observes LLVM's CoroSplit without changing the generated code, and adds a section to the object file that is not
// loaded: .tare.frames, described in inspect/coroutine/compiler_record.hpp.

#include "compiler/coroutine_record.hpp"

#include <llvm/ADT/Any.h>
#include <llvm/Analysis/LazyCallGraph.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/PassManager.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Plugins/PassPlugin.h>
#include <llvm/Support/FormatVariadic.h>

#include <memory>
#include <string>
#include <vector>

namespace tare::compiler {
namespace {

constexpr llvm::StringRef split = "CoroSplitPass";

/// Escaped for the assembler, for use between quotes.
std::string quoted(llvm::StringRef text) {
  std::string all = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') all += '\\';
    all += c;
  }
  return all + '"';
}

/// The records of the file being compiled.
class frame_notes {
 public:
  void before(const llvm::LazyCallGraph::SCC& functions) {
    open_.clear();
    for (const auto& node : functions) {
      if (node.getFunction().isPresplitCoroutine()) open_.emplace_back(node.getFunction());
    }
  }

  void after() {
    for (auto& each : open_) {
      if (auto record = each.finish()) done_.push_back(llvm::formatv("{0}", *record).str());
    }
    open_.clear();
  }

  /// Strings that a linker may merge: an inline coroutine is recorded by every file that contains it.
  void write_into(llvm::Module& module) {
    if (done_.empty() || !module.getTargetTriple().isOSBinFormatELF()) return;
    std::string text = "\t.pushsection .tare.frames,\"MS\",@progbits,1\n";
    for (const auto& each : done_) text += "\t.asciz " + quoted(each) + "\n";
    module.appendModuleInlineAsm(text + "\t.popsection\n");
    done_.clear();
  }

 private:
  std::vector<coroutine_record> open_;  ///< while CoroSplit works on them
  std::vector<std::string> done_;
};

class write_pass : public llvm::PassInfoMixin<write_pass> {
 public:
  explicit write_pass(std::shared_ptr<frame_notes> from) : from_(std::move(from)) {}
  // NOLINTNEXTLINE(readability-identifier-naming): LLVM's name
  static bool isRequired() { return true; }
  llvm::PreservedAnalyses run(llvm::Module& module, llvm::ModuleAnalysisManager&) {
    from_->write_into(module);
    return llvm::PreservedAnalyses::all();
  }

 private:
  std::shared_ptr<frame_notes> from_;
};

void watch(llvm::PassBuilder& builder) {
  auto* passes = builder.getPassInstrumentationCallbacks();
  if (passes == nullptr) return;
  const auto notes = std::make_shared<frame_notes>();
  passes->registerBeforeNonSkippedPassCallback([notes](llvm::StringRef pass, llvm::Any what) {
    if (pass != split) return;
    if (const auto* functions = llvm::any_cast<const llvm::LazyCallGraph::SCC*>(&what)) notes->before(**functions);
  });
  passes->registerAfterPassCallback([notes](llvm::StringRef pass, const llvm::Any&, const llvm::PreservedAnalyses&) {
    if (pass == split) notes->after();
  });
  passes->registerAfterPassInvalidatedCallback([notes](llvm::StringRef pass, const llvm::PreservedAnalyses&) {
    if (pass == split) notes->after();
  });
  builder.registerOptimizerLastEPCallback([notes](llvm::ModulePassManager& manager, llvm::OptimizationLevel,
                                                  llvm::ThinOrFullLTOPhase) { manager.addPass(write_pass(notes)); });
}

}  // namespace
}  // namespace tare::compiler

// NOLINTNEXTLINE(readability-identifier-naming): LLVM's name
extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT llvm::PassPluginLibraryInfo llvmGetPassPluginInfo() {
  return {.APIVersion = LLVM_PLUGIN_API_VERSION,
          .PluginName = "tare-frames",
          .PluginVersion = LLVM_VERSION_STRING,
          .RegisterPassBuilderCallbacks = tare::compiler::watch,
          .PreCodeGenCallback = nullptr};
}
