#!/usr/bin/env python3
"""Writes kernel/avx512.s and kernel/avx2.s: `python3 tools/rounds.py`, from the crate's directory. No build runs it.

Both take a base and table entries (`walk.rs`) through chi of round 1, 21 whole rounds and the first lane of round 23, for
eight hashes in vectors and one in integers, and spread the integer instructions evenly among the vector ones.

AVX-512: three rounds per turn of the loop; the state stays in registers, allocated here in the order ORDER (a value needed
again farthest ahead is spilled); iota is folded into what uses lane 0 (`x3m`). At the end of a turn the values move back to
where they were.
AVX2: two rounds per turn, each of four hashes, four more, and the integers; the state is in memory, in two buffers in turn.
Integers: the state in memory, the parities and three of theta's words in registers.
"""
import random
ROT=[0,1,62,28,27,36,44,6,55,20,3,10,43,25,39,41,45,15,21,8,18,2,61,56,14]
SRC=[[0,6,12,18,24],[3,9,10,16,22],[1,7,13,19,20],[4,5,11,17,23],[2,8,14,15,21]]
HF=0.9
# The order of one round: found by a random search on a Zen 4 (EPYC, 2 cores), 17,000 orders, with the integers beside.
# R: parity rotated; D: theta's word; T: lane after theta; B: after rho; N: after chi; P: three lanes of a parity; K: all five.
ORDER = """
R3 D2 R2 R4 R1 D1 R0 T6 D3 T3 D0 T16 T22 T10 B22 T20 T0 B20 T15 B6 D4 T7 T12 B3 T13 T1 B12 T17 T9 B16 B13 T18
T19 B1 B10 T24 B24 B9 N8 B7 T11 B17 N0 T21 B19 T14 N6 N7 T5 B11 T4 T23 N5 N11 N14 B18 N9 N12 N3 B4 B5 N2 B23
B21 T8 N10 N15 N13 N4 B15 T2 N19 N18 B14 B8 N17 B2 N1 N16 P1 N21 N20 P2 N23 N24 N22 P4 K1 K4 P3 P0 K2 K0 K3
""".split()
SHIFT = 2
b=lambda i: f"B{i}" if ROT[i] else f"T{i}"
OPS={}
def o(n,k,s,imm=0): OPS[n]=(k,s,imm)
for x in range(5): o(f"R{x}",'rol',[f"C{x}"],1)
for x in range(5):
    k,im={1:('x3m',0),4:('x3m',8)}.get(x,('x2',0))
    o(f"D{x}",k,[f"C{(x+4)%5}",f"R{(x+1)%5}"],im)
for i in range(25):
    o(f"T{i}",'x3m' if i==0 else 'x2',[f"A{i}",f"D{i%5}"])
    if ROT[i]: o(f"B{i}",'rol',[f"T{i}"],ROT[i])
for Y in range(5):
    for X in range(5): o(f"N{Y*5+X}",'chi',[b(SRC[Y][(X+k)%5]) for k in range(3)])
for x in range(5):
    o(f"P{x}",'x3',[f"N{x}",f"N{x+5}",f"N{x+10}"]); o(f"K{x}",'x3',[f"P{x}",f"N{x+15}",f"N{x+20}"])
# ---- symbolic vector code: list of (kind,dst,srcs,imm); values are ints
class V:
    def __init__(s): s.ops=[]; s.n=0
    def op(s,k,srcs,imm=None):
        s.n+=1; s.ops.append((k,s.n,tuple(srcs),imm)); return s.n
def alloc(ops,start,outs,hint,rcreg='rbp',spill0=0,R='zmm',bc='{1to8}',W=64):
    """start: {value:reg}; outs: [values] live at the end; returns lines, {value:reg}"""
    uses={}
    for i,q in enumerate(ops):
        for s in q[2]: uses.setdefault(s,[]).append(i)
    for v in outs: uses.setdefault(v,[]).append(10**8)
    reg=dict(start); free=[r for r in range(32) if r not in reg.values()]; where={}; L=[]; slots=[]; nslot=0; freeslots=[]
    stats=dict(spill=0,mov=0,reload=0)
    def nu(v,i):
        for u in uses.get(v,[]):
            if u>=i: return u
        return 10**9
    hint=hint or {}; hv=set(hint.values())
    def get(i,pin,d=None):
        nonlocal nslot
        if d in hint and hint[d] in free: free.remove(hint[d]); return hint[d]
        if free:
            if d is not None and i>len(ops)*HF:
                for r in free:
                    if r not in hv: free.remove(r); return r
            return free.pop(0)
        v=max((v for v in reg if v not in pin),key=lambda v:nu(v,i))
        r=reg.pop(v)
        if v not in where:
            if freeslots: where[v]=freeslots.pop()
            else: where[v]=nslot; nslot+=1
            L.append(f"vmovdqa64 [rsp+{spill0+where[v]*W}],{R}{r}"); stats['spill']+=1
        return r
    for i,(k,d,srcs,imm) in enumerate(ops):
        if k=='ldx':
            r=get(i,()); L.append(f"vmovdqa64 {R}{r},[rdi+{imm*W}]"); L.append(f"vpxorq {R}{r},{R}{r},qword ptr [rsi+{imm*8}]{bc}"); reg[d]=r; continue
        pin=set(srcs); mem=None
        if k in ('std','x2s'):
            v=srcs[0]
            if v not in reg:
                r=get(i,pin); L.append(f"vmovdqa64 {R}{r},[rsp+{spill0+where[v]*W}]"); reg[v]=r
            r=reg[v]; last=nu(v,i+1)==10**9
            if k=='std':
                L.append(f"vmovdqa64 [rsp+{imm}],{R}{r}")
                if last: free.append(reg.pop(v))
            else:
                if last: reg.pop(v); q=r
                else: q=get(i,pin,d)
                L.append(f"vpxorq {R}{q},{R}{r},[rsp+{imm}]"); reg[d]=q
            if last and v in where: freeslots.append(where.pop(v))
            continue
        inm=[s for s in srcs if s not in reg]
        if inm and k in('x3','x2') and len(inm)==1 and nu(inm[0],i+1)==10**9: mem=inm[0]
        for s in srcs:
            if s not in reg and s!=mem:
                r=get(i,pin); L.append(f"vmovdqa64 {R}{r},[rsp+{spill0+where[s]*W}]"); reg[s]=r; stats['reload']+=1
        dead=[s for s in srcs if s in reg and nu(s,i+1)==10**9]
        def N(s): return f"{R}{reg[s]}" if s!=mem else f"[rsp+{spill0+where[s]*W}]"
        def tern(dst,names,truth,memop=None):
            imm8=0
            for m in range(8):
                val=[(m>>2)&1,(m>>1)&1,m&1]
                if truth(dict(zip(names,val))): imm8|=1<<m
            return imm8
        if k in('x2','rol'):
            pref=[s for s in dead]
            h=[p for p in pref if hint.get(d)==reg[p]]
            if d in hint and not h and hint[d] in free: r=get(i,pin,d)
            else: r=reg[(h or pref)[0]] if pref else get(i,pin,d)
            if k=='x2':
                p=[s for s in srcs if s!=mem]; q=mem if mem is not None else p[1]
                L.append(f"vpxorq {R}{r},{N(p[0])},{N(q)}")
            else: L.append(f"vprolq {R}{r},{N(srcs[0])},{imm}")
        elif k=='x3m':
            if dead:
                dst=dead[0]; o1=[s for s in srcs if s!=dst][0]; r=reg[dst]
            else:
                r=get(i,pin,d); stats['mov']+=1; L.append(f"vmovdqa64 {R}{r},{N(srcs[0])}"); o1=srcs[1]
            L.append(f"vpternlogq {R}{r},{N(o1)},qword ptr [{rcreg}+{imm}]{bc},0x96")
        else:
            ordr=list(srcs)
            if mem is not None: ordr=[s for s in srcs if s!=mem]+[mem]
            if dead:
                dst=([p for p in dead if hint.get(d)==reg[p]] or dead)[0]; oth=[s for s in ordr if s!=dst]; r=reg[dst]
            else:
                r=get(i,pin,d); stats['mov']+=1; L.append(f"vmovdqa64 {R}{r},{N(ordr[0])}"); dst=ordr[0]; oth=ordr[1:]
            if k=='x3': im=0x96
            else:
                a,bb,c=srcs; im=tern(None,[dst]+oth,lambda v:v[a]^((1-v[bb])&v[c]))
            L.append(f"vpternlogq {R}{r},{N(oth[0])},{N(oth[1])},{im:#x}")
        for s in set(srcs):
            if nu(s,i+1)==10**9:
                if s in reg:
                    rr=reg.pop(s)
                    if rr!=r: free.insert(0,rr) if False else free.append(rr)
                if s in where: freeslots.append(where.pop(s))
        reg[d]=r
    return L,reg,where,nslot,stats
def vec_rounds(k,seq,A,C,g,rcoff):
    for r in range(k):
        env={f"A{i}":A[i] for i in range(25)}|{f"C{x}":C[x] for x in range(5)}
        for n in seq:
            kk,s,imm=OPS[n]; env[n]=g.op(kk,[env[q] for q in s],imm+16*r+rcoff if kk=='x3m' else imm)
        A=[env[f"N{i}"] for i in range(25)]; C=[env[f"K{x}"] for x in range(5)]
    return A,C
def parmove(cur,want,tmp,mk):
    """cur,want: {value:reg}"""
    L=[]; mv={want[v]:cur[v] for v in want if want[v]!=cur[v]}
    while mv:
        srcs=set(mv.values()); rdy=[d for d in mv if d not in srcs]
        if rdy:
            d=rdy[0]; L.append(mk(d,mv.pop(d)))
        else:
            d=next(iter(mv)); s=mv[d]
            L.append(mk(tmp,s)); mv[d]=tmp
            # anything else reading s now may still; d's source is tmp
    return L
# ---- integer code
G=[['rax','rcx','rdx','rbx','rsi'],['rdi','r8','r9','r10','r11'],['r12','r13','r14'],'r15']
BUF=200
def int_theta(c,DM):
    """c: regs of C; free group other; returns lines; D0..2 in G[2], D3,D4 stored"""
    other=G[1] if c is G[0] else G[0]
    t={0:G[2][0],1:G[2][1],2:G[2][2],3:other[0],4:other[1]}
    L=[]
    for x in range(5): L.append(f"rorx {t[x]},{c[(x+1)%5]},63")
    for x in (3,4,0,1,2):
        L.append(f"xor {t[x]},{c[(x+4)%5]}")
        if x in(3,4): L.append(f"mov [rsp+{DM+8*(x-3)}],{t[x]}")
    return L
def int_chi(Y,first,bq,acc,dst,rc):
    L=[]; t=G[3]
    for X in range(5):
        r=acc[X] if first else t
        L.append(f"andn {r},{bq[(X+1)%5]},{bq[(X+2)%5]}")
        L.append(f"xor {r},{bq[X]}")
        if Y==0 and X==0: L.append(f"xor {r},[{rc}]")
        L.append(f"mov [rsp+{dst+8*(Y*5+X)}],{r}")
        if not first: L.append(f"xor {acc[X]},{t}")
    return L
def int_round(c,src,dst,DM,rc,rows=(0,1,2,3,4)):
    L=int_theta(c,DM); bq=c; acc=G[1] if c is G[0] else G[0]
    D=[G[2][0],G[2][1],G[2][2],f"[rsp+{DM}]",f"[rsp+{DM+8}]"]
    for n,Y in enumerate(rows):
        for j,i in enumerate(SRC[Y]):
            L.append(f"mov {bq[j]},[rsp+{src+8*i}]"); L.append(f"xor {bq[j]},{D[i%5]}")
            if ROT[i]: L.append(f"rorx {bq[j]},{bq[j]},{64-ROT[i]}")
        L+=int_chi(Y,n==0,bq,acc,dst,rc)
    return L,acc
def merge(a,bb,shift=0.0):
    """even interleave"""
    if not bb: return a
    out=[]; i=j=0; na,nb=len(a),len(bb)
    while i<na or j<nb:
        if j>=nb or (i<na and i*nb<=(j+shift)*na): out.append(a[i]); i+=1
        else: out.append(bb[j]); j+=1
    return out
def kernel(seq=ORDER,k=7,integer=True,name='nine',shift=0.0,loop=False):
    IB=0; DM=600; ARG=640; SP=704
    # vectors prologue
    g=V(); B=[g.op('ldx',[],i) for i in range(0)]
    N=[None]*25; P={}; C={}
    for Y in range(5):
        bq=[g.op('ldx',[],Y*5+X) for X in range(5)]
        for X in range(5): N[Y*5+X]=g.op('chi',[bq[X],bq[(X+1)%5],bq[(X+2)%5]])
        if Y==2:
            for x in range(5): P[x]=g.op('x3',[N[x],N[x+5],N[x+10]])
    for x in range(5): C[x]=g.op('x3',[P[x],N[x+15],N[x+20]])
    outs=N+[C[x] for x in range(5)]
    vp,reg,where,ns0,st0=alloc(g.ops,{},outs,None,spill0=SP)
    assert not [v for v in outs if v not in reg]
    start={v:reg[v] for v in outs}
    # loop body
    g2=V(); g2.n=g.n
    A2,C2=vec_rounds(k,seq,N,[C[x] for x in range(5)],g2,0)
    outs2=A2+C2
    vl,reg2,wh2,ns,st=alloc(g2.ops,start,outs2,{b_:start[a_] for a_,b_ in zip(outs,outs2)} if k<21 else None,spill0=SP)
    for v in outs2:
        if v not in reg2:
            r=[r for r in range(32) if r not in reg2.values()][0]; vl.append(f"vmovdqa64 zmm{r},[rsp+{SP+wh2[v]*64}]"); reg2[v]=r
    if k<21:
        want={b_:start[a_] for a_,b_ in zip(outs,outs2)}
        cur={v:reg2[v] for v in outs2}
        tmp=[r for r in range(32) if r not in want.values()][0]
        mvs=parmove(cur,want,tmp,lambda d,s:f"vmovdqa64 zmm{d},zmm{s}"); st['endmov']=len(mvs); vl+=mvs
        fin=dict(zip(range(30),[start[v] for v in outs]))
    else: fin=dict(zip(range(30),[reg2[v] for v in outs2]))
    # epilogue
    g3=V(); A=[g3.op('in',[]) for _ in range(25)]; Cx=[g3.op('in',[]) for _ in range(5)]; s3={v:fin[i] for i,v in enumerate(A+Cx)}; g3.ops=[]
    R={x:g3.op('rol',[Cx[x]],1) for x in (1,2,3)}
    D0=g3.op('x2',[Cx[4],R[1]]); D1=g3.op('x3m',[Cx[0],R[2]],0); D2=g3.op('x2',[Cx[1],R[3]])
    b0=g3.op('x3m',[A[0],D0],0); b1=g3.op('rol',[g3.op('x2',[A[6],D1])],44); b2=g3.op('rol',[g3.op('x2',[A[12],D2])],43)
    q=g3.op('chi',[b0,b1,b2]); z=g3.op('x3m' if False else 'x1m',[q],16) if False else q
    keep={v:s3[v] for v in (A[0],A[6],A[12],*Cx)}
    ve,r3,_,_,_=alloc(g3.ops,keep,[q],None)
    zr=r3[q]; ve.append(f"vpxorq zmm{zr},zmm{zr},qword ptr [rbp+16]{{1to8}}")
    # ints
    ip=[];il=[];ie=[]
    if integer:
        bq=G[0]; acc=['rdi','r8','r9','r10','r11']
        # prologue uses rdx (base), rcx (table) -> copied to r12,r13; vectors use rdi, rsi -> r14(rdi), r15? t
        for Y in range(5):
            for X in range(5):
                ip.append(f"mov {bq[X]},[r12+{8*(Y*5+X)}]"); ip.append(f"xor {bq[X]},[r13+{8*(Y*5+X)}]")
            ip+=int_chi(Y,Y==0,bq,acc,0,'rbp')
        c=acc=G[1]; ip=[s for s in ip]
        bufs=[0]; 
        for r in range(k): bufs.append(200 if bufs[-1]==0 else 0)
        if bufs[-1]!=0: bufs[-1]=0; bufs[-2]=400
        if k==1: bufs=[0,200]
        for r in range(k):
            L,c=int_round(c,bufs[r],bufs[r+1],DM,f"rbp+{16*(r+1)}"); il+=L
        if k<21 and c is not G[1]:
            il+=[f"mov {d},{s}" for d,s in zip(G[1],c)]; c=G[1]
        t=G[0] if c is G[1] else G[1]; l=bufs[-1]
        ie+=[f"rorx {t[0]},{c[1]},63",f"rorx {t[1]},{c[2]},63",f"rorx {t[2]},{c[3]},63",f"xor {t[0]},{c[4]}",f"xor {t[1]},{c[0]}",f"xor {t[2]},{c[1]}",
             f"xor {t[0]},[rsp+{l}]",f"xor {t[1]},[rsp+{l+48}]",f"xor {t[2]},[rsp+{l+96}]",f"rorx {t[1]},{t[1]},20",f"rorx {t[2]},{t[2]},21",f"andn {t[1]},{t[1]},{t[2]}",f"xor {t[0]},{t[1]}",f"xor {t[0]},[rbp+16]",f"mov r15,{t[0]}"]
    out=[]
    for p in ('rbx','rbp','r12','r13','r14','r15'): out.append(f"push {p}")
    out+=["mov rax,rsp",f"sub rsp,{SP+64*(max(ns,ns0,1)+2)}","and rsp,-64",f"mov [rsp+{ARG}],rax",f"mov [rsp+{ARG+8}],rcx","lea rax,[rdx+336]",f"mov [rsp+{ARG+16}],rax"]
    if loop:
        out+=[f"mov [rsp+{ARG+24}],rdi",f"mov [rsp+{ARG+32}],rsi",f"mov [rsp+{ARG+40}],r8",f"mov [rsp+{ARG+48}],r9",f"mov [rsp+{ARG+56}],rdx",".balign 64","4:",f"mov r12,[rsp+{ARG+24}]",f"mov r13,[rsp+{ARG+32}]",f"mov rbp,[rsp+{ARG+56}]"]
    else: out+=["mov r12,rdi","mov r13,rsi","mov rbp,rdx"]
    vp=[x.replace('[rdi','[r12').replace('[rsi','[r13') for x in vp]
    ip=[x.replace('[r13+','[r13+200+').replace('[r12+','[r12+1600+') for x in ip]
    out+=merge(vp,ip,shift); out.append("add rbp,16") if False else None
    # rbp points at the constants of round 1: prologue adds rbp+0 for ints; the loop's vectors fold rbp+16r, ints add 16(r+1)
    if k<21: out.append(".balign 64\n2:")
    out+=merge(vl,il,shift)
    if k<21: out+=[f"add rbp,{16*k}",f"cmp rbp,[rsp+{ARG+16}]","jne 2b"]
    else: out.append("add rbp,336")
    out+=merge(ve,ie,0)
    if loop:
        out+=[f"mov rax,[rsp+{ARG+32}]",f"mov rdx,[rsp+{ARG+48}]",f"vptestnmq k0,zmm{zr},qword ptr [rsp+{ARG+48}]{{1to8}}","kmovw ecx,k0","test ecx,ecx","jne 5f","test rdx,r15","je 5f","add rax,400",f"mov [rsp+{ARG+32}],rax",f"cmp rax,[rsp+{ARG+40}]","jne 4b","5:"]
    out+=[f"mov rcx,[rsp+{ARG+8}]",f"vmovdqu64 [rcx],zmm{zr}","mov [rcx+64],r15" if integer else "","vzeroupper",f"mov rsp,[rsp+{ARG}]"]
    for p in ('r15','r14','r13','r12','rbp','rbx'): out.append(f"pop {p}")
    out.append("ret")
    return out,st
def vec_round(src,dst,rc,rows=(0,1,2,3,4)):
    """src,dst: functions lane->operand. registers: D=ymm0-4, b=ymm5-9, t=10,11; masks 14,15"""
    L=[]
    # parities into ymm5..9
    for y in range(5):
        for x in range(5):
            L.append(f"vmovdqa ymm{5+x},{src(x)}" if y==0 else f"vpxor ymm{5+x},ymm{5+x},{src(x+5*y)}")
    for x in range(5):
        c=5+(x+1)%5; p=5+(x+4)%5
        L+= [f"vpaddq ymm{x},ymm{c},ymm{c}",f"vpsrlq ymm{10+x%2},ymm{c},63",f"vpxor ymm{x},ymm{x},ymm{p}",f"vpxor ymm{x},ymm{x},ymm{10+x%2}"]
    for Y in rows:
        for j,i in enumerate(SRC[Y]):
            r=5+j; L.append(f"vpxor ymm{r},ymm{i%5},{src(i)}")
            n=ROT[i]; t=10+j%2
            if n==0: pass
            elif n==8: L.append(f"vpshufb ymm{r},ymm{r},ymm14")
            elif n==56: L.append(f"vpshufb ymm{r},ymm{r},ymm15")
            else:
                L.append(f"vpsllq ymm{t},ymm{r},{n}" if n>1 else f"vpaddq ymm{t},ymm{r},ymm{r}"); L.append(f"vpsrlq ymm{r},ymm{r},{64-n}"); L.append(f"vpor ymm{r},ymm{r},ymm{t}")
        L+=vec_chi(Y,dst,rc)
    return L
def vec_chi(Y,dst,rc):
    L=[]
    for X in range(5):
        t=10+X%2
        L.append(f"vpandn ymm{t},ymm{5+(X+1)%5},ymm{5+(X+2)%5}")
        L.append(f"vpxor ymm{t},ymm{t},ymm{5+X}")
        if Y==0 and X==0: L+=[f"vpxor ymm{t},ymm{t},ymm13"]
        L.append(f"vmovdqa {dst(Y*5+X)},ymm{t}")
    return L
GI=[['rax','rcx','rdx','rbx','rsi'],['rdi','r8','r9','r10','r11'],['r12','r13'],'r15']
def int_round2(src,dst,rc,DM='rsp+'):
    """parities from memory? accumulate needs c regs in fixed group; use parity accumulators swapped by mov-free trick: compute from memory"""
    L=[]; c,o,G2,t=GI
    d={0:G2[0],1:G2[1],2:o[2],3:o[0],4:o[1]}
    for x in range(5): L.append(f"rorx {d[x]},{c[(x+1)%5]},63")
    for x in (3,4,2,0,1):
        L.append(f"xor {d[x]},{c[(x+4)%5]}")
        if x in(2,3,4): L.append(f"mov [rsp+{8*(x-2)}],{d[x]}")
    D=[G2[0],G2[1],"[rsp]","[rsp+8]","[rsp+16]"]; bq=o; acc=c
    # C regs die after D: accumulate into c again, b in o
    for n,Y in enumerate(range(5)):
        for j,i in enumerate(SRC[Y]):
            L.append(f"mov {bq[j]},{src(i)}"); L.append(f"xor {bq[j]},{D[i%5]}")
            if ROT[i]: L.append(f"rorx {bq[j]},{bq[j]},{64-ROT[i]}")
        L+=int_chi2(Y,bq,acc,dst,rc)
    return L
def int_chi2(Y,bq,acc,dst,rc):
    L=[]; t=GI[3]
    for X in range(5):
        r=acc[X] if Y==0 else t
        L+=[f"andn {r},{bq[(X+1)%5]},{bq[(X+2)%5]}",f"xor {r},{bq[X]}"]
        if Y==0 and X==0: L.append(f"xor {r},[{rc}]")
        L.append(f"mov {dst(Y*5+X)},{r}")
        if Y: L.append(f"xor {acc[X]},{t}")
    return L
def kernel2(integer=True,fine=0,k=1,frame=2048):
    out=[]
    for p in ('rbx','rbp','r12','r13','r14','r15'): out.append(f"push {p}")
    ARG=64
    out+=["mov rax,rsp","sub rsp,8192","and rsp,-4096",f"mov [rsp+{ARG}],rax",f"mov [rsp+{ARG+8}],rcx","mov r12,rdi","mov r13,rsi","mov r14,rdx",f"lea rax,[rdx+{336 if k==3 else 352}]",f"mov [rsp+{ARG+16}],rax","lea rbp,[rsp+1024]",
      "mov rax,0x0605040302010007","mov [rsp+96],rax","mov rax,0x0e0d0c0b0a09080f","mov [rsp+104],rax","mov rax,0x0007060504030201","mov [rsp+112],rax","mov rax,0x080f0e0d0c0b0a09","mov [rsp+120],rax","vbroadcasti128 ymm14,[rsp+96]","vbroadcasti128 ymm15,[rsp+112]","vpbroadcastq ymm13,qword ptr [r14]"]
    # frames: rbp and rbp+3072-? use SW: X= rbp, Y = rbp+2048 ; toggling: sub/add via xor needs alignment: X at rsp+4096-? 
    P0=0 if k==3 else 1856; E=16 if k==3 else 0
    vp=[]
    for Y in range(5):
        for half in (0,32):
            for X in range(5):
                i=5*Y+X; vp.append(f"vpbroadcastq ymm{5+X},qword ptr [r13+{8*i}]"); vp.append(f"vpxor ymm{5+X},ymm{5+X},[r12+{64*i+half}]")
            vp+=vec_chi(Y,lambda i:f"[rbp+{P0+64*i+half}]",None)
    ip=[]
    c,o,_,t=GI
    if integer:
        for Y in range(5):
            for X in range(5):
                i=5*Y+X; ip+= [f"mov {o[X]},[r12+{1600+8*i}]",f"xor {o[X]},[r13+{200+8*i}]"]
            ip+=int_chi2(Y,o,c,lambda i:f"[rbp+{P0+1600+8*i}]","r14")
    out+=merge(vp,ip)
    # loop: rbp = source; dest = rbp + DLT, then swap via two-round loop? 21 odd -> do 1 round + 10x2? use rdelta: r-held no. k=1 with xor
    def body(so,do,rcoff):
        va=vec_round(lambda i:f"[rbp+{so+64*i}]",lambda i:f"[rbp+{do+64*i}]",None)
        vb=vec_round(lambda i:f"[rbp+{so+64*i+32}]",lambda i:f"[rbp+{do+64*i+32}]",None)
        il=int_round2(lambda i:f"[rbp+{so+1600+8*i}]",lambda i:f"[rbp+{do+1600+8*i}]",f"r14+{rcoff}") if integer else []
        return [f"vpbroadcastq ymm13,qword ptr [r14+{rcoff}]"]+merge(va+vb,il)
    # three buffers as before with k=3: X->Y->Z->X
    if k==3:
        out.append(".balign 64\n2:")
        out+=body(0,1856,16)+body(1856,3712,32)+body(3712,0,48)+["add r14,48",f"cmp r14,[rsp+{ARG+16}]","jne 2b"]
    else:
        # k=2: one round first, then ten times two
        out+=["jmp 3f",".balign 64\n2:"]+body(0,1856,0)+["3:"]+body(1856,0,16)+["add r14,32",f"cmp r14,[rsp+{ARG+16}]","jne 2b"]
    # epilogue, state in X
    S=lambda i,h:f"[rbp+{64*i+h}]"
    ve=[]
    for h in (0,32):
        for y in range(5):
            for x in range(5): ve.append(f"vmovdqa ymm{5+x},{S(x,h)}" if y==0 else f"vpxor ymm{5+x},ymm{5+x},{S(x+5*y,h)}")
        for x in range(3):
            cc=5+(x+1)%5; p=5+(x+4)%5
            ve+=[f"vpaddq ymm{x},ymm{cc},ymm{cc}",f"vpsrlq ymm{10+x%2},ymm{cc},63",f"vpxor ymm{x},ymm{x},ymm{p}",f"vpxor ymm{x},ymm{x},ymm{10+x%2}",f"vpxor ymm{x},ymm{x},{S(6*x,h)}"]
        ve+=["vpsllq ymm10,ymm1,44","vpsrlq ymm1,ymm1,20","vpor ymm1,ymm1,ymm10","vpsllq ymm11,ymm2,43","vpsrlq ymm2,ymm2,21","vpor ymm2,ymm2,ymm11","vpandn ymm1,ymm1,ymm2","vpxor ymm0,ymm0,ymm1",f"vpbroadcastq ymm3,qword ptr [r14+{E}]",f"vpxor ymm{12 if h else 4},ymm0,ymm3"]
        if h==0: ve+=["vmovdqa [rsp+128],ymm4"]
    ie=[]
    if integer:
        l=1600
        ie+=[f"rorx {o[0]},{c[1]},63",f"rorx {o[1]},{c[2]},63",f"rorx {o[2]},{c[3]},63",f"xor {o[0]},{c[4]}",f"xor {o[1]},{c[0]}",f"xor {o[2]},{c[1]}",f"xor {o[0]},[rbp+{l}]",f"xor {o[1]},[rbp+{l+48}]",f"xor {o[2]},[rbp+{l+96}]",f"rorx {o[1]},{o[1]},20",f"rorx {o[2]},{o[2]},21",f"andn {o[1]},{o[1]},{o[2]}",f"xor {o[0]},{o[1]}",f"xor {o[0]},[r14+{E}]",f"mov r15,{o[0]}"]
    out+=merge(ve,ie)
    out+=[f"mov rcx,[rsp+{ARG+8}]","vmovdqa ymm4,[rsp+128]","vmovdqu [rcx],ymm4","vmovdqu [rcx+32],ymm12"]+(["mov [rcx+64],r15"] if integer else [])+["vzeroupper",f"mov rsp,[rsp+{ARG}]"]
    for p in ('r15','r14','r13','r12','rbp','rbx'): out.append(f"pop {p}")
    out.append("ret")
    return out

def write(name,lines):
    text="# Generated by tools/rounds.py; do not edit.\n"+"\n".join(l for l in lines if l)+"\n"
    open(f"kernel/{name}.s","w").write(text)
if __name__=='__main__':
    write("avx512",kernel(k=3,shift=SHIFT,loop=True)[0])
    write("avx2",kernel2(k=2))
