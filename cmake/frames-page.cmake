# Builds the page of `tare frames --html` with npm, in FOLDER, from SOURCE; OUTPUT is the page. Where there is no npm, or
# no registry to have the packages from, OUTPUT is empty and the command says so when it is asked for the page.
file(MAKE_DIRECTORY ${FOLDER})
file(COPY ${SOURCE}/package.json ${SOURCE}/package-lock.json ${SOURCE}/build.mjs ${SOURCE}/src DESTINATION ${FOLDER})
set(problem "npm is not there")
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
      message(FATAL_ERROR "the page of tare frames could not be built: node build.mjs failed in ${FOLDER}")
    endif()
  endif()
endif()
if(problem)
  message(STATUS "tare frames --html will not be there: ${problem}")
  file(WRITE ${OUTPUT} "")
endif()
