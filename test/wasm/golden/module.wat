(module
  (import "env" "memory" (memory $memory 1 16 shared))
  (import "env" "log" (func $log (param i32)))
  (global $total (mut i64) (i64.const 0))
  (func $run (export "run") (param $start i32) (param $end i32) (result i64)
    (local $row i32)
    (local $value f64)
    (local $vector v128)
    ;; sum of the clamped values,
    ;; nothing for NaN
    (local.set $row (local.get $start))
    (loop $while
      (if
        (i32.lt_u (local.get $row) (local.get $end))
        (then
          (local.set $value
            (call $clamp
              (f64.load offset=1024 (i32.shl (local.get $row) (i32.const 3)))
              (f64.const -0)
              (f64.const inf)
            )
          )
          (block $next_row
            (br_if $next_row (f64.ne (local.get $value) (local.get $value)))
            (global.set $total (i64.add (global.get $total) (i64.trunc_sat_f64_s (local.get $value))))
          )
          (local.set $row (i32.add (local.get $row) (i32.const 1)))
          (br $while)
        )
      )
    )
    (local.set $vector
      (i8x16.shuffle 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0 (v128.load (i32.const 16)) (local.get $vector))
    )
    (v128.store16_lane offset=2 7 (i32.const 32) (local.get $vector))
    (if
      (v128.any_true (local.get $vector))
      (then
        (call $log (select (local.get $start) (i32.const 1) (local.get $row)))
      )
      (else
        (memory.fill
          (i32.const 0)
          (i32.const 0)
          (local.tee $row (if (result i32) (local.get $row) (then (i32.const 2)) (else (i32.const 3))))
        )
      )
    )
    (return (global.get $total))
  )
  (func $clamp (param $x f64) (param $low f64) (param $high f64) (result f64)
    (return (f64.min (f64.max (local.get $x) (local.get $low)) (local.get $high)))
  )
)
