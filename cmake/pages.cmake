# Builds the pages of `tare frames --html` and `tare live --html` with npm, in FOLDER, from SOURCE, into OUTPUT:
# frames_page.html and live_page.html. If npm or its registry is not available, the pages are empty, and the command
# prints an error when a page is requested.
file(MAKE_DIRECTORY ${FOLDER})
file(COPY ${SOURCE}/package.json ${SOURCE}/package-lock.json ${SOURCE}/build.mjs ${SOURCE}/src DESTINATION ${FOLDER})
set(problem "npm was not found")
if(NPM AND NODE)
  execute_process(
    COMMAND ${NPM} ci --no-audit --no-fund --prefer-offline --fetch-retries=0
    WORKING_DIRECTORY ${FOLDER} TIMEOUT 180 RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
  if(failed)
    set(problem "npm ci failed in ${FOLDER}")
  else()
    execute_process(COMMAND ${NODE} build.mjs ${OUTPUT} WORKING_DIRECTORY ${FOLDER} RESULT_VARIABLE failed)
    set(problem "")
    if(failed)
      message(FATAL_ERROR "the pages of the command could not be built: node build.mjs failed in ${FOLDER}")
    endif()
  endif()
endif()
if(problem)
  message(STATUS "--html will not be available: ${problem}")
  foreach(page frames live)
    file(WRITE ${OUTPUT}/${page}_page.html "")
  endforeach()
endif()
